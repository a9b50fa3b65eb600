//! Where the user gave authorities: hints name the flag.

use super::TlsOptions;

/// The flags with which the user gave authorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenPlaces {
    /// None.
    None,
    /// `--cafile`.
    File,
    /// `--capath`.
    Folder,
    /// Both.
    Both,
}

impl GivenPlaces {
    /// Those of these options.
    pub(super) fn of(options: &TlsOptions) -> Self {
        match (options.ca_files.is_empty(), options.ca_folders.is_empty()) {
            (true, true) => Self::None,
            (false, true) => Self::File,
            (true, false) => Self::Folder,
            (false, false) => Self::Both,
        }
    }
}
