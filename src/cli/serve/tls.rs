//! The flags that encrypt the connections of `serve`.

use std::convert::Infallible;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args;

use crate::command::serve::tls::{ServeTlsConfig, TlsIdentity};
use crate::transport::tls::{TlsOptions, TlsSetupError, server};

/// With which certificate TLS is spoken, and with whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub struct ServeTlsFlags {
    /// Speak TLS (wss), with a certificate that is made on the spot, and an authority for it
    ///
    /// It is for localhost, 127.0.0.1, `::1` and the address of -h. Each flag of TLS implies it.
    #[arg(long, num_args = 0, default_missing_value = "", value_parser = made)]
    tls: Option<OwnAuthority>,

    /// Write the certificate of that authority to this file (PEM), for clients to trust
    #[arg(long, value_name = "FILE", allow_hyphen_values = true, conflicts_with = "cert")]
    ca_out: Option<PathBuf>,

    /// Speak TLS with this certificate (PEM)
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    cert: Option<PathBuf>,

    /// The private key (PEM) of the certificate [default: in the file of --cert]
    #[arg(long, value_name = "FILE", allow_hyphen_values = true, requires = "cert")]
    key: Option<PathBuf>,

    /// The password of an encrypted private key is the first line of this file
    #[arg(long, value_name = "FILE", allow_hyphen_values = true, requires = "cert")]
    key_password_file: Option<PathBuf>,

    /// Demand a certificate of each client, by an authority in this file (PEM)
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    client_ca: Option<PathBuf>,
}

/// The authority that `--tls` asks for.
#[derive(Debug, Clone, Copy)]
enum OwnAuthority {
    /// One that is made on the spot.
    Made,
}

/// What `--tls` means; it takes no value.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a Result")]
fn made(_: &str) -> Result<OwnAuthority, Infallible> {
    Ok(OwnAuthority::Made)
}

impl ServeTlsFlags {
    /// What the flags mean; `None` is no TLS.
    pub fn resolve(self) -> Result<Option<ServeTlsConfig>> {
        let is_given = self.tls.is_some() || self.ca_out.is_some() || self.cert.is_some();
        if !is_given && self.client_ca.is_none() {
            return Ok(None);
        }
        let client_authorities = match &self.client_ca {
            Some(path) => server::authorities(path)?,
            None => Vec::new(),
        };
        let identity = match self.cert {
            Some(certificate) => {
                let options = TlsOptions {
                    certificate: Some(certificate.clone()),
                    key: self.key,
                    key_password_file: self.key_password_file,
                    ..TlsOptions::default()
                };
                let identity = server::certificate(&options).map_err(|error| of_server(&error))?;
                TlsIdentity::Given { identity, file: certificate }
            }
            None => TlsIdentity::Made { ca_out: self.ca_out },
        };
        Ok(Some(ServeTlsConfig { identity, client_authorities }))
    }

    /// Whether clients must have a certificate.
    pub fn asks_clients(&self) -> bool {
        self.client_ca.is_some()
    }
}

/// The words are those of a client, whose certificate it mostly is.
fn of_server(error: &TlsSetupError) -> anyhow::Error {
    anyhow!("{}", error.to_string().replace("client certificate", "certificate"))
}
