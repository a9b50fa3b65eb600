//! From the wish for a connection to one that is dialled, or to the error that says why there is
//! none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::lifecycle::{ConnectionInput, CredentialUse, DialPlan, Reading};
use super::{Client, Error, Options, RedirectPolicy, Step};
use crate::mqtt::session::{PacketGrouping, Strictness};
use crate::transport::dial::{DialError, Dialled};
use crate::transport::endpoint::Scheme;
use crate::transport::{self, Phase};
use crate::websocket::Framing;

impl Client {
    pub(super) fn dial(&mut self, plan: &DialPlan) {
        match self.begin_dialling(plan) {
            Ok(options) => self.transport_options = Some(options),
            Err(error) => self.failed(error),
        }
    }

    /// Begins to dial; the options are for the connection that is dialled.
    fn begin_dialling(&mut self, plan: &DialPlan) -> Result<transport::Options, Error> {
        self.session.withhold_credentials(plan.credentials == CredentialUse::Withhold);
        let options = self.transport_options(plan)?;
        let route = Arc::clone(&self.options.route);
        self.events.dial(&options, route, plan.deadline, plan.order).map_err(Error::Local)?;
        Ok(options)
    }

    fn transport_options(&mut self, plan: &DialPlan) -> Result<transport::Options, Error> {
        let Options { route, upgrade, .. } = &self.options;
        // A redirect may lead to wss.
        let need_tls = plan.endpoint.scheme == Scheme::Wss
            || route.proxies.need_tls()
            || upgrade.redirects == RedirectPolicy::Follow;
        if need_tls {
            // Files of certificates may be anything, also pipes.
            self.guard();
        }
        let headers = match plan.credentials {
            CredentialUse::Send => upgrade.headers.clone(),
            CredentialUse::Withhold => Vec::new(),
        };
        let tls = need_tls.then(|| self.tls_config(plan.credentials).map_err(Error::TlsSetup));
        Ok(transport::Options {
            endpoint: plan.endpoint.clone(),
            tls: tls.transpose()?,
            subprotocols: plan.subprotocols.clone(),
            headers,
            secrets: self.session.config().secrets(),
            strict: self.options.session.receiving.strictness == Strictness::Strict,
            max_message: self.options.session.receiving.maximum_packet,
            framing: framing(self.options.session.sending.grouping),
            log: self.options.lines.log,
        })
    }

    pub(super) fn dialled(&mut self, dialled: Result<Dialled, DialError>) {
        let error = match (dialled, self.transport_options.take()) {
            (Ok(dialled), Some(options)) => {
                let untried = dialled.untried;
                match Connection::start(dialled, &options, Instant::now()) {
                    Ok(connection) => {
                        self.echo = connection.echo().clone();
                        self.connection = Some(connection);
                        return self.feed(ConnectionInput::Dialled { untried });
                    }
                    Err(error) => Error::Transport(error),
                }
            }
            (Ok(_), None) => return,
            (Err(error), _) if error.timed_out() => Error::ConnectTimedOut {
                step: Step::Transport(error.phase()),
                after: self.lifecycle.budget(),
                tried: error.tells_more().then(|| error.to_string()),
            },
            (Err(error), _) => Error::Unreached(error),
        };
        self.failed(error);
    }

    /// The time for this step of the connection is up.
    pub(super) fn expired(&mut self) {
        let error = match self.late(self.lifecycle.budget()) {
            // The dialling thread reports everything else itself.
            Error::ConnectTimedOut { step: Step::Connection, after, .. } => {
                let step = Step::Transport(Phase::Name);
                Error::ConnectTimedOut { step, after, tried: None }
            }
            error => error,
        };
        self.failed(error);
    }

    /// The error of a connection that was not made within `after`.
    pub(super) fn late(&mut self, after: Duration) -> Error {
        if self.lifecycle.is_fetching() {
            return self.late_credentials(after);
        }
        let step = match (self.lifecycle.reading(), &self.connection) {
            (Reading::Connack | Reading::Discard | Reading::Session, _) => Step::ConnAck,
            (_, Some(connection)) => Step::Transport(connection.phase()),
            (_, None) => Step::Connection,
        };
        let tried = self.lifecycle.latest_error().filter(|_| step == Step::Connection);
        let tried = tried.map(str::to_owned);
        let error = Error::ConnectTimedOut { step, after, tried };
        match &mut self.connection {
            Some(connection) => connection.explain(error),
            None => error,
        }
    }
}

pub(super) fn framing(grouping: PacketGrouping) -> Framing {
    match grouping {
        PacketGrouping::Gathered => Framing::UpToLimit,
        PacketGrouping::Single => Framing::PerPiece,
    }
}
