//! Credentials that are asked for anew for each connection: what of the flags is in files, and what
//! commands print.

mod printed;

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow, ensure};
use bytes::Bytes;

use super::credentials::CredentialFlags;
use super::field::{LONGEST_FIELD, check_text};
use super::secret::SecretReader;
use super::upgrade::{UpgradeFlags, add_header};
use crate::client::credentials::{Changing, CredentialCommand, CredentialSource, FreshCredentials};
use crate::command::start::GroupWatch;
use crate::mqtt::packet::Credentials;
use crate::mqtt::session::{Authentication, Login};
use crate::mqtt::version::Version;
use crate::transport::endpoint::Endpoint;
use crate::transport::file;
use printed::Printed;

/// The flag of the command that prints a URL.
pub const URL_COMMAND: &str = "--url-command";

/// The flag of the command that prints credentials.
pub const CREDENTIALS_COMMAND: &str = "--credentials-command";

/// The flags whose credentials may change.
pub struct Renewal {
    /// User name, password and enhanced authentication.
    pub credentials: CredentialFlags,
    /// The headers.
    pub upgrade: UpgradeFlags,
    /// The enhanced authentication that `-D connect` asks for.
    pub fixed: Option<Authentication>,
    /// What of it may change.
    pub changing: Changing,
    /// The files of the client certificate, of its key, and of authorities.
    pub tls_files: Vec<PathBuf>,
    /// The folders of authorities.
    pub tls_folders: Vec<PathBuf>,
    /// The oldest version that is tried.
    pub oldest: Version,
    /// The commands.
    pub commands: Vec<CredentialCommand>,
    /// Reads the files, and keeps what can be read only once.
    pub secrets: SecretReader,
}

impl Renewal {
    /// The source of the credentials. Those of the server `known` are in use already.
    pub fn source(mut self, known: Option<&Endpoint>) -> Result<CredentialSource> {
        let mark = known.map(|known| self.read(known, &[]).map(|fresh| fresh.mark)).transpose()?;
        let (changing, commands) = (self.changing, self.commands.clone().into());
        let read = move |endpoint: &Endpoint, printed: &[Vec<u8>]| {
            self.read(endpoint, printed).map_err(|error| format!("{error:#}"))
        };
        Ok(CredentialSource {
            changing,
            commands,
            guard: GroupWatch::default().guard(),
            read: Arc::new(Mutex::new(Box::new(read))),
            mark,
            asked: None,
        })
    }

    fn read(&mut self, endpoint: &Endpoint, printed: &[Vec<u8>]) -> Result<FreshCredentials> {
        let mut all = Printed::default();
        for (command, printed) in self.commands.iter().zip(printed) {
            all.add(command.flag, printed)?;
        }
        let server = all.url.clone();
        let mut credentials =
            self.credentials.resolve(server.as_ref().unwrap_or(endpoint), &mut self.secrets)?;
        credentials.username = all.username.take().map(Into::into).or(credentials.username);
        credentials.password = all.password.take().map(Bytes::from).or(credentials.password);
        self.check(&credentials)?;
        let headers = self.headers(all.headers)?;
        let mut mark = DefaultHasher::new();
        (&credentials.username, &credentials.password, &headers).hash(&mut mark);
        server.as_ref().map(Endpoint::secret_url).hash(&mut mark);
        let authentication =
            self.credentials.authentication(&mut credentials, &mut self.secrets)?;
        if let Some(Authentication::OneStep { data, .. }) = &authentication {
            data.hash(&mut mark);
        }
        // Whatever is wrong with a file is told when TLS needs it, which alone reads pipes.
        let in_folders = self.tls_folders.iter().flat_map(|folder| files_of(folder));
        let files = self.tls_files.iter().cloned().chain(in_folders);
        let contents = files.filter(|path| path.is_file()).map(|path| file::read(&path));
        contents.for_each(|content| content.unwrap_or_default().hash(&mut mark));
        let authentication = authentication.or_else(|| self.fixed.clone());
        Ok(FreshCredentials {
            login: Login { credentials, authentication },
            headers,
            endpoint: server,
            lifetime: all.lifetime,
            mark: mark.finish(),
        })
    }

    fn check(&self, credentials: &Credentials) -> Result<()> {
        let length = credentials.password.as_ref().map_or(0, Bytes::len);
        ensure!(length <= LONGEST_FIELD, "the password has more than 65535 bytes");
        check_text("username", credentials.username.as_deref())?;
        let is_lonely = credentials.password.is_some() && credentials.username.is_none();
        ensure!(
            !is_lonely || self.oldest.has_properties(),
            "before MQTT 5 a password needs a user name: print one, too, or give -V 5"
        );
        Ok(())
    }

    /// The headers of the flags, and those that were printed in the place of the same names.
    fn headers(&mut self, printed: Vec<(String, String)>) -> Result<Vec<(String, String)>> {
        let mut headers = self.upgrade.headers(&mut self.secrets)?;
        for (name, value) in printed {
            headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
            add_header(&mut headers, name, value)
                .map_err(|error| anyhow!("what the command prints: {error}"))?;
        }
        Ok(headers)
    }
}

/// What lies in a folder, always in the same order.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}
