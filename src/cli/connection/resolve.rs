//! The flags of a connection become the options of a client.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::ConnectionFlags;
use crate::cli::mqtt::{AckReports, ClientNeeds, MqttFlags, Persistence};
use crate::cli::property::GivenProperties;
use crate::cli::renewal::{CREDENTIALS_COMMAND, Renewal, URL_COMMAND};
use crate::cli::secret::SecretReader;
use crate::cli::tls::TlsFlags;
use crate::client::credentials::{Changing, CredentialCommand};
use crate::client::{self, Leaving, LineHandler, LineHandlers, VersionsToTry};
use crate::exit::Usage;
use crate::mqtt::session;
use crate::mqtt::version::Version;
use crate::report;
use crate::transport::dial::Route;
use crate::transport::endpoint::{Endpoint, Scheme};
use crate::transport::tls::TlsOptions;

impl ConnectionFlags {
    /// The options of a client for each address that was given, as if it were the only one, and
    /// warnings to print.
    pub fn resolve_each(
        &mut self,
        needs: &ClientNeeds,
        properties: &GivenProperties,
    ) -> Result<(Vec<client::Options>, Vec<String>)> {
        let addresses = self.address.take_several();
        if addresses.is_empty() {
            let (options, warnings) = self.resolve(needs, properties)?;
            return Ok((vec![options], warnings));
        }
        let (mut all, mut warnings) = (Vec::new(), Vec::new());
        for address in addresses {
            self.address.set_only(address);
            let (options, more) = self.resolve(needs, properties)?;
            all.push(options);
            warnings.extend(more);
        }
        warnings.dedup();
        Ok((all, warnings))
    }

    /// The options of a client whose session ends with it, as far as `properties` do not ask for
    /// more, and warnings to print.
    pub fn resolve(
        &self,
        needs: &ClientNeeds,
        properties: &GivenProperties,
    ) -> Result<(client::Options, Vec<String>)> {
        self.resolve_with(needs, &Persistence::default(), properties)
    }

    pub(super) fn resolve_with(
        &self,
        needs: &ClientNeeds,
        persistence: &Persistence,
        properties: &GivenProperties,
    ) -> Result<(client::Options, Vec<String>)> {
        let (endpoint, route, tls) = self.way()?;
        let flags = self.mqtt(persistence, properties);
        let mut secrets = SecretReader::default();
        let known = Some(&endpoint).filter(|_| !self.has_commands());
        let (session, versions) = flags.resolve(known, needs, &mut secrets)?;
        let upgrade = self.upgrade.resolve(&mut secrets)?;
        let is_tls_spoken = self.is_tls_spoken(&endpoint, &route);
        let warnings = self.warnings(&tls, is_tls_spoken, &mut secrets);
        let other_endpoints = self.address.others()?;
        let changing = self.changing(&endpoint, &other_endpoints, &tls);
        let renewal = changing.map(|it| self.renewal(it, &session, &versions, &tls, secrets));
        let credentials = renewal.map(|renewal| renewal.source(known)).transpose()?;
        let options = client::Options {
            tls,
            other_endpoints,
            route: Arc::new(route),
            upgrade,
            limits: self.retry.limits(),
            versions,
            session,
            leaving: Leaving::Disconnect,
            credentials: credentials.map(Box::new),
            brief: needs.reports == AckReports::FailuresOfShortRun,
            lines: self.lines(),
            endpoint,
        };
        Ok((options, warnings))
    }

    /// Where the server is, how to reach it, and how to trust it.
    fn way(&self) -> Result<(Endpoint, Route, TlsOptions)> {
        let tls = self.tls.resolve()?;
        let endpoint = self.endpoint()?;
        let may_be_any = self.upgrade.follow || self.address.may_be_of_any_scheme();
        let route = self.network.resolve(&endpoint, may_be_any)?;
        self.check_tls(&endpoint, &route)?;
        Ok((endpoint, route, tls))
    }

    /// Whether a command prints credentials or the URL.
    fn has_commands(&self) -> bool {
        self.credentials.credentials_command.is_some() || self.address.url_command.is_some()
    }

    /// What may change while the program runs, or is not the same at all addresses.
    fn changing(
        &self,
        endpoint: &Endpoint,
        others: &[Endpoint],
        tls: &TlsOptions,
    ) -> Option<Changing> {
        let changes = self.has_commands()
            || self.credentials.are_in_files()
            || self.upgrade.are_in_files()
            || tls.certificate.is_some()
            || others.iter().any(|other| other.user != endpoint.user);
        if changes {
            return Some(Changing::Credentials);
        }
        let is_given = !tls.ca_files.is_empty() || !tls.ca_folders.is_empty();
        (endpoint.scheme == Scheme::Wss && is_given).then_some(Changing::Authorities)
    }

    #[cold]
    #[inline(never)]
    fn renewal(
        &self,
        changing: Changing,
        session: &session::Config,
        versions: &VersionsToTry,
        tls: &TlsOptions,
        secrets: SecretReader,
    ) -> Renewal {
        let given = [
            (URL_COMMAND, &self.address.url_command),
            (CREDENTIALS_COMMAND, &self.credentials.credentials_command),
        ];
        let command = |(flag, command): (&'static str, &Option<String>)| {
            command.clone().map(|command| CredentialCommand { flag, command })
        };
        let password = session.login.credentials.password.as_ref();
        let is_by_flag = self.credentials.is_enhanced();
        let own = tls.certificate.iter();
        Renewal {
            credentials: self.credentials.with_asked(password),
            upgrade: self.upgrade.clone(),
            fixed: session.login.authentication.clone().filter(|_| !is_by_flag),
            changing,
            tls_files: own.chain(&tls.key).chain(&tls.ca_files).cloned().collect(),
            tls_folders: tls.ca_folders.clone(),
            oldest: versions.list.iter().copied().min().unwrap_or(Version::V5),
            commands: given.into_iter().filter_map(command).collect(),
            secrets,
        }
    }

    fn mqtt<'a>(
        &'a self,
        persistence: &'a Persistence,
        properties: &'a GivenProperties,
    ) -> MqttFlags<'a> {
        MqttFlags {
            session: &self.session,
            credentials: &self.credentials,
            persistence,
            properties,
            upgrade: &self.upgrade,
            debug: self.general.debug,
        }
    }

    fn warnings(
        &self,
        tls: &TlsOptions,
        is_tls_spoken: bool,
        secrets: &mut SecretReader,
    ) -> Vec<String> {
        if self.general.quiet {
            return Vec::new();
        }
        let mut warnings = std::mem::take(&mut secrets.warnings);
        if is_tls_spoken {
            warnings.extend(TlsFlags::warnings(tls));
        }
        warnings
    }

    /// Whether the server or a proxy may speak TLS.
    fn is_tls_spoken(&self, endpoint: &Endpoint, route: &Route) -> bool {
        let may_be = self.upgrade.follow || self.address.may_be_of_any_scheme();
        endpoint.scheme == Scheme::Wss || may_be || route.proxies.need_tls()
    }

    /// TLS flags that were typed need something that speaks TLS.
    fn check_tls(&self, endpoint: &Endpoint, route: &Route) -> Result<()> {
        ensure!(
            self.is_tls_spoken(endpoint, route) || !self.tls.is_given() || !self.tls.is_typed,
            Usage::new(format!("TLS flags need a wss:// address, and {endpoint} is not one"))
        );
        Ok(())
    }

    pub(super) fn lines(&self) -> LineHandlers {
        LineHandlers {
            warn: self.unless_quiet(report::warn),
            note: self.unless_quiet(report::note),
            trace: Box::new(report::trace),
            log: self.general.debug > 1,
        }
    }

    fn unless_quiet(&self, write: fn(&str)) -> LineHandler {
        if self.general.quiet { Box::new(|_| {}) } else { Box::new(write) }
    }
}
