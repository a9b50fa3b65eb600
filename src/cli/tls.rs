//! The flags of TLS: which certificates to trust, and which to show.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;

use super::source::Variables;
use crate::exit::Usage;
use crate::transport::file;
use crate::transport::tls::{Fingerprint, KeyLogFile, TlsOptions, TlsVersion, sni};

/// The certificates to trust and to show on `wss://`.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsFlags {
    /// Whether `$MQTTWS_CAFILE` counts.
    #[arg(skip)]
    pub variables: Variables,

    /// Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)
    ///
    /// A server certificate that stands in it, byte for byte, is trusted whoever has signed it;
    /// its name and dates are still checked. Without any flag that says what is trusted, it is the
    /// file that `$MQTTWS_CAFILE` names.
    #[arg(long, value_name = "FILE", aliases = ["ca", "ca-cert"], allow_hyphen_values = true)]
    cafile: Vec<PathBuf>,

    /// Trust the certificate authorities of all PEM files in this folder instead of the built-in
    /// ones
    ///
    /// What holds for the certificates in `--cafile` holds for these.
    #[arg(long, value_name = "DIR", allow_hyphen_values = true)]
    capath: Vec<PathBuf>,

    /// Trust the authorities that the operating system trusts (or those in `$SSL_CERT_FILE`)
    #[arg(long, alias = "tls-use-os-certs")]
    system_roots: bool,

    /// Trust exactly the certificate with this SHA-256, whatever its name, age or issuer
    /// (repeatable)
    #[arg(long, value_name = "HEX", conflicts_with = "insecure", allow_hyphen_values = true)]
    pin_sha256: Vec<Fingerprint>,

    /// Do not verify the server's certificate: anyone on the network path can read and change
    /// everything
    #[arg(long)]
    insecure: bool,

    /// Show this certificate (PEM) to a server that asks for one
    ///
    /// No proxy is shown it, and no other server that a redirect leads to.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    cert: Option<PathBuf>,

    /// The private key (PEM) of the certificate [default: in the file of --cert]
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    key: Option<PathBuf>,

    /// The password of an encrypted private key is the first line of this file
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    key_password_file: Option<PathBuf>,

    /// Name to send to the server and to find in its certificate [default: the host]
    #[arg(long, value_name = "NAME", value_parser = server_name, allow_hyphen_values = true)]
    sni: Option<String>,

    /// Application protocols to offer (ALPN), separated by commas [default: none]
    ///
    /// A WebSocket needs HTTP/1.1, so h2 alone is refused.
    #[arg(long = "tls-alpn", value_name = "NAMES", value_parser = protocols,
          allow_hyphen_values = true)]
    alpn: Option<Protocols>,

    /// Speak only this version of TLS: 1.2 or 1.3 [default: the newer one that the server speaks]
    #[arg(
        long = "tls-version",
        id = "tls_version",
        value_name = "VERSION",
        allow_hyphen_values = true
    )]
    version: Option<TlsVersion>,

    /// Append the secrets of the connection to this file, for Wireshark [default: `$SSLKEYLOGFILE`]
    ///
    /// A named pipe is refused.
    #[arg(long = "tls-keylog", value_name = "FILE", allow_hyphen_values = true)]
    keylog: Option<PathBuf>,

    /// Flags of mosquitto's clients that are refused with a reason.
    #[command(flatten)]
    unsupported: Unsupported,

    /// One of these was typed, and not only read from a profile.
    #[arg(skip)]
    pub is_typed: bool,
}

/// Flags of mosquitto's clients that are refused with a reason.
#[derive(Debug, Args)]
struct Unsupported {
    /// Cipher suites.
    #[arg(long, hide = true, value_name = "CIPHERS", allow_hyphen_values = true)]
    ciphers: Option<String>,

    /// A pre-shared key.
    #[arg(long, hide = true, value_name = "KEY", allow_hyphen_values = true)]
    psk: Option<String>,

    /// Whose pre-shared key it is.
    #[arg(long, hide = true, value_name = "NAME", allow_hyphen_values = true)]
    psk_identity: Option<String>,

    /// An engine of OpenSSL.
    #[arg(long, hide = true, value_name = "ENGINE", allow_hyphen_values = true)]
    tls_engine: Option<String>,

    /// The password of that engine's key.
    #[arg(long, hide = true, value_name = "SHA1", allow_hyphen_values = true)]
    tls_engine_kpass_sha1: Option<String>,

    /// Whether the key is in a file or in an engine.
    #[arg(long, hide = true, value_name = "FORM", allow_hyphen_values = true)]
    keyform: Option<String>,

    /// Parameters of a key exchange.
    #[arg(long, hide = true, value_name = "FILE", allow_hyphen_values = true)]
    dhparam: Option<String>,
}

/// Names of application protocols.
#[derive(Debug, Clone)]
struct Protocols(Vec<String>);

impl TlsFlags {
    /// Whether any of the flags asks for TLS.
    pub fn is_given(&self) -> bool {
        self.flags() != TlsOptions::default()
    }

    /// What the flags, `$MQTTWS_CAFILE` and `$SSLKEYLOGFILE` mean together.
    pub fn resolve(&self) -> Result<TlsOptions> {
        if let Some(refusal) = self.unsupported.refusal() {
            return Err(Usage::new(refusal).into());
        }
        ensure!(
            self.cert.is_some() || self.key.is_none(),
            Usage::new("--key is the key of a certificate: give the certificate with --cert")
        );
        ensure!(
            self.cert.is_some() || self.key_password_file.is_none(),
            Usage::new(
                "--key-password-file is for the key of a certificate: give the certificate with \
                 --cert"
            )
        );
        let mut options = self.flags();
        options.ca_files.extend(self.ca_variable());
        if options.key_log.is_none() {
            let variable = std::env::var_os("SSLKEYLOGFILE").filter(|path| !path.is_empty());
            options.key_log = variable.map(PathBuf::from).map(KeyLogFile::Wished);
        }
        Ok(options)
    }

    /// The file of `$MQTTWS_CAFILE`, where no flag says what is trusted.
    pub fn ca_variable(&self) -> Option<PathBuf> {
        let is_said = !self.cafile.is_empty() || !self.capath.is_empty();
        let is_said = is_said || self.system_roots || self.insecure || !self.pin_sha256.is_empty();
        let is_said = is_said || self.variables == Variables::Ignored;
        let variable = std::env::var_os("MQTTWS_CAFILE").filter(|path| !path.is_empty());
        variable.map(PathBuf::from).filter(|_| !is_said)
    }

    /// What to warn of where TLS is spoken with these options.
    pub fn warnings(options: &TlsOptions) -> Vec<String> {
        let mut warnings = Vec::new();
        if options.insecure {
            warnings.push("--insecure: the server's certificate is not verified".to_owned());
        }
        let wished = options.key_log.iter().filter(|log| matches!(log, KeyLogFile::Wished(_)));
        for error in wished.filter_map(|log| log.check().err()) {
            warnings.push(format!("$SSLKEYLOGFILE: {error}: going on without"));
        }
        // Without --key the key is in the file of the certificate.
        let key = options.key.as_ref().or(options.certificate.as_ref());
        if let Some(path) = key.filter(|path| can_all_read_key(path)) {
            let path = path.display();
            warnings
                .push(format!("everybody can read the private key in {path}: chmod 600 {path}"));
        }
        warnings
    }

    fn flags(&self) -> TlsOptions {
        TlsOptions {
            ca_files: self.cafile.clone(),
            ca_folders: self.capath.clone(),
            system_roots: self.system_roots,
            insecure: self.insecure,
            pins: self.pin_sha256.clone(),
            certificate: self.cert.clone(),
            key: self.key.clone(),
            key_password_file: self.key_password_file.clone(),
            server_name: self.sni.clone(),
            protocols: self.alpn.clone().map_or(Vec::new(), |protocols| protocols.0),
            version: self.version,
            key_log: self.keylog.clone().map(KeyLogFile::Demanded),
        }
    }
}

impl Unsupported {
    /// Why a flag that was given is not for us, and what to do instead.
    fn refusal(&self) -> Option<&'static str> {
        let engine = self.tls_engine.is_some() || self.tls_engine_kpass_sha1.is_some();
        if self.ciphers.is_some() {
            Some(
                "--ciphers: only the safe cipher suites of TLS 1.2 and 1.3 are supported, all of \
                 them; --tls-version chooses the version",
            )
        } else if self.psk.is_some() || self.psk_identity.is_some() {
            Some(
                "--psk: pre-shared keys are not supported: use a certificate of the server \
                 (--cafile or --pin-sha256), and one of ours (--cert and --key)",
            )
        } else if engine || self.keyform.is_some() {
            Some(
                "--tls-engine and --keyform: OpenSSL's engines are not supported: give a file \
                 with --key",
            )
        } else if self.dhparam.is_some() {
            Some("--dhparam: the parameters of the key exchange are not configurable: leave it out")
        } else {
            None
        }
    }
}

/// Whether this is a file with a private key that every user of this machine can read.
fn can_all_read_key(path: &Path) -> bool {
    let can_all_read =
        fs::metadata(path).is_ok_and(|file| file.is_file() && file.mode() & 0o004 != 0);
    let has_key = |text: Vec<u8>| memchr::memmem::find(&text, b"PRIVATE KEY-----").is_some();
    can_all_read && file::read(path).is_ok_and(has_key)
}

fn server_name(text: &str) -> Result<String, &'static str> {
    sni(text).ok_or("expected a host name, not an address")
}

fn protocols(text: &str) -> Result<Protocols, &'static str> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if !names.iter().all(|name| (1..=255).contains(&name.len())) {
        return Err("expected names of 1 to 255 bytes, separated by commas");
    }
    // A WebSocket over HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220) is not supported.
    if names.iter().all(|name| ["h2", "h3"].iter().any(|version| name.starts_with(version))) {
        return Err("a WebSocket needs HTTP/1.1: name http/1.1, too, or leave the flag out");
    }
    Ok(Protocols(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        tls: TlsFlags,
    }

    fn resolved(flags: &[&str]) -> Result<TlsOptions> {
        Flags::try_parse_from([&["x"], flags].concat())?.tls.resolve()
    }

    #[test]
    fn every_flag_asks_for_tls() {
        let rows: [&[&str]; 12] = [
            &["--ca", "x"],
            &["--capath", "x"],
            &["--tls-use-os-certs"],
            &["--insecure"],
            &["--pin-sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
            &["--cert", "x"],
            &["--key", "x"],
            &["--key-password-file", "x"],
            &["--sni", "a.example"],
            &["--tls-alpn", "mqtt"],
            &["--tls-version", "tlsv1.2"],
            &["--tls-keylog", "x"],
        ];
        for row in rows {
            let flags = Flags::try_parse_from([&["x"], row].concat()).unwrap();
            assert!(flags.tls.is_given(), "{row:?}");
        }
        assert!(!Flags::try_parse_from(["x"]).unwrap().tls.is_given());
    }

    #[test]
    fn values_are_understood() {
        let options = resolved(&["--tls-version", "tlsv1.3", "--tls-alpn", "a, b"]).unwrap();
        assert_eq!(options.version, Some(TlsVersion::V1_3));
        assert_eq!(options.protocols, ["a", "b"]);
        let options = resolved(&["--tls-alpn", "h2,http/1.1"]).unwrap();
        assert_eq!(options.protocols, ["h2", "http/1.1"]);
        assert_eq!(resolved(&["--tls-version", "1.2"]).unwrap().version, Some(TlsVersion::V1_2));
        let sni = resolved(&["--sni", "Bücher.example"]).unwrap().server_name;
        assert_eq!(sni.as_deref(), Some("xn--bcher-kva.example"));
        for wrong in [
            ["--tls-version", "tlsv1.1"],
            ["--tls-version", "2"],
            ["--tls-alpn", "a,,b"],
            ["--tls-alpn", "h2"],
            ["--tls-alpn", "h3-29, h2"],
            ["--sni", "10.0.0.1"],
            ["--sni", "a..b"],
            ["--pin-sha256", "00"],
        ] {
            assert!(resolved(&wrong).is_err(), "{wrong:?}");
        }
    }
}
