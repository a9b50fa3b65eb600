//! What of the options decides how connections are made.

use std::time::Duration;

use crate::client::credentials::Changing;
use crate::client::options::{Leaving, Options, Reconnect, RedirectPolicy, VersionChoice};
use crate::mqtt::packet::Credentials;
use crate::mqtt::property::PropertyId;
use crate::mqtt::session::{self, Answering};
use crate::mqtt::version::Version;
use crate::transport::endpoint::Endpoint;

/// When what identifies the user is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialsAsked {
    /// It is known and does not change.
    Never,
    /// As `Again`; but only the authorities that vouch for servers may have changed.
    Authorities,
    /// For every try but the first one at the first address, for which it is known.
    Again,
    /// For every try.
    Always,
}

/// When the line about another connection says to which server it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerNaming {
    /// If it is another server than before.
    WhenChanged,
    /// The program has clients of several servers.
    Always,
}

/// The part of the options that decides how connections are made.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Each is tried in turn; there is at least one.
    pub addresses: Vec<Endpoint>,
    /// What was asked for instead of our own names.
    pub subprotocols: Option<Vec<String>>,
    /// From the first to be tried to the last.
    pub versions: Vec<Version>,
    /// How they were chosen.
    pub version_choice: VersionChoice,
    /// What to do about redirects.
    pub redirects: RedirectPolicy,
    /// When what identifies the user is asked for.
    pub credentials: CredentialsAsked,
    /// What there is that must not go to another server, each in a few words.
    pub identifying: Vec<&'static str>,
    /// From name look-up to CONNACK.
    pub connect_timeout: Duration,
    /// For how long a first connection is tried.
    pub wait: Duration,
    /// What to do about a lost connection.
    pub retry: Reconnect,
    /// How the client leaves the broker.
    pub leaving: Leaving,
    /// How a connection that takes the place of a lost one is reported.
    pub naming: ServerNaming,
}

impl Policy {
    /// The address of this index.
    pub fn address(&self, index: usize) -> &Endpoint {
        self.addresses.get(index).expect("indices are those of addresses, and there is one")
    }

    /// What these options ask for.
    pub fn of(options: &Options) -> Self {
        Self {
            addresses: addresses(options),
            subprotocols: options.upgrade.subprotocols.clone(),
            versions: options.versions.list.clone(),
            version_choice: options.versions.choice,
            redirects: options.upgrade.redirects,
            credentials: asked(options),
            identifying: identifying(options),
            connect_timeout: options.limits.timeout,
            wait: options.limits.wait,
            retry: options.limits.reconnect,
            leaving: options.leaving,
            naming: match options.session.receiving.answering {
                Answering::Caller => ServerNaming::Always,
                Answering::Session => ServerNaming::WhenChanged,
            },
        }
    }
}

/// The first address and the others.
fn addresses(options: &Options) -> Vec<Endpoint> {
    let mut addresses = vec![options.endpoint.clone()];
    addresses.extend_from_slice(&options.other_endpoints);
    addresses
}

fn asked(options: &Options) -> CredentialsAsked {
    match &options.credentials {
        None => CredentialsAsked::Never,
        Some(source) if source.changing == Changing::Authorities => CredentialsAsked::Authorities,
        Some(source) if source.commands.is_empty() => CredentialsAsked::Again,
        Some(_) => CredentialsAsked::Always,
    }
}

/// What in the options is for their server alone.
fn identifying(options: &Options) -> Vec<&'static str> {
    let session::Config { login, properties, .. } = &options.session;
    let has_commands = asked(options) == CredentialsAsked::Always;
    let has_login = has_commands
        || options.other_endpoints.iter().any(|other| other.user.is_some())
        || login.credentials != Credentials::default()
        || login.authentication.is_some();
    let mut connect = properties.connect.iter();
    let has_properties = connect.any(|property| property.id() == PropertyId::UserProperty);
    let parts = [
        (has_login, "user name and password"),
        (has_properties, "user properties of CONNECT"),
        (has_commands || !options.upgrade.headers.is_empty(), "headers"),
        (options.tls.certificate.is_some(), "client certificate"),
    ];
    parts.into_iter().filter_map(|(is_given, name)| is_given.then_some(name)).collect()
}
