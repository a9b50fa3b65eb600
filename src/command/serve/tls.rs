//! The TLS of `serve`: with which certificate, and how clients come to trust it.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, Result, anyhow};

use crate::broker::tls::{CaCertificate, ServerIdentity, ServerTls, authority};

/// How TLS is spoken.
pub struct ServeTlsConfig {
    /// The certificate of the broker.
    pub identity: TlsIdentity,
    /// By whom the certificates of clients must be; if there are none, clients need none.
    pub client_authorities: Vec<CaCertificate>,
}

/// The certificate of the broker.
pub enum TlsIdentity {
    /// It is made on the spot, and an authority for it.
    Made {
        /// The file that gets the certificate of the authority.
        ca_out: Option<PathBuf>,
    },
    /// It was read.
    Given {
        /// With its key.
        identity: ServerIdentity,
        /// The file.
        file: PathBuf,
    },
}

/// What connections are encrypted with.
pub struct PreparedTls {
    /// For the broker.
    pub server: ServerTls,
    /// For clients.
    pub ca_file: CaFile,
}

/// A file by which clients trust the broker.
#[derive(Debug)]
pub enum CaFile {
    /// It stays.
    Kept(PathBuf),
    /// It goes with us.
    Ours(PathBuf),
}

impl CaFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        let (Self::Kept(path) | Self::Ours(path)) = self;
        path
    }

    /// Where it is if it goes with us.
    pub fn temporary(&self) -> Option<&Path> {
        match self {
            Self::Kept(_) => None,
            Self::Ours(path) => Some(path),
        }
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        if let Self::Ours(path) = self {
            // Somebody may have removed it.
            let _ = fs::remove_file(path);
        }
    }
}

/// Makes or takes the certificate of a broker that listens at this address.
pub fn prepare(config: &ServeTlsConfig, address: IpAddr) -> Result<PreparedTls> {
    let (identity, ca_file) = match &config.identity {
        TlsIdentity::Given { identity, file } => {
            (identity.clone(), CaFile::Kept(absolute(file).context("finding the certificate")?))
        }
        TlsIdentity::Made { ca_out } => {
            let made = authority::make(&names(address)).context("making a certificate")?;
            (made.identity, write_authority(ca_out.as_deref(), &made.authority)?)
        }
    };
    let server = ServerTls::new(identity, &config.client_authorities);
    Ok(PreparedTls { server: server.context("preparing TLS")?, ca_file })
}

/// What clients may call us.
fn names(address: IpAddr) -> Vec<String> {
    let own = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let mut names = vec!["localhost".to_owned()];
    names.extend(own.map(|ip| ip.to_string()));
    if address.is_unspecified() {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        names.extend(Some(name).filter(|name| is_host_name(name)));
    } else if !own.contains(&address) {
        names.push(address.to_string());
    }
    names
}

fn is_host_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    name != "localhost" && !name.is_empty() && name.bytes().all(is_part)
}

fn write_authority(ca_out: Option<&Path>, pem: &str) -> Result<CaFile> {
    if let Some(path) = ca_out {
        let written = replace(path, pem);
        written.with_context(|| format!("writing {}", path.display()))?;
        return Ok(CaFile::Kept(absolute(path).context("finding the file of --ca-out")?));
    }
    let name = format!("mqttws-serve-{}-{:08x}.pem", std::process::id(), fastrand::u32(..));
    // The command may go to another folder.
    let folder = absolute(env::temp_dir()).context("finding the folder for temporary files")?;
    let path = folder.join(name);
    write_temporary(&path, pem)
        .map_err(|error| anyhow!("{error}: $TMPDIR or --ca-out can name another place"))
        .with_context(|| format!("writing {}", path.display()))
}

/// Writes a file that goes with us, also if it could not be written whole.
fn write_temporary(path: &Path, text: &str) -> io::Result<CaFile> {
    let mut file = File::create_new(path)?;
    let ours = CaFile::Ours(path.to_owned());
    file.write_all(text.as_bytes())?;
    Ok(ours)
}

/// Writes a file whole, then renames it: a program that waits for the file finds all of it. What is
/// no file, such as a pipe, is written to.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return fs::write(path, text);
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first failure is the one that the user has to know.
        let _ = fs::remove_file(&beside);
    }
    written
}
