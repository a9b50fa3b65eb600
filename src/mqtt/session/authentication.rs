//! Enhanced authentication (§4.12): what CONNECT says of it, and the AUTH packets before CONNACK.

use bytes::Bytes;

use super::config::Authentication;
use super::{Session, Violation};
use crate::mqtt::packet::{Auth, ConnAck, Packet};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::scram::{self, Scram};

impl Session {
    /// Begins the exchange of a new connection: the properties of its CONNECT.
    pub(super) fn begin_authentication(&mut self, properties: &mut Properties) {
        match self.config.authentication.as_ref().filter(|_| !self.withhold_credentials) {
            None => {}
            Some(Authentication::OneStep { method, data }) => {
                properties.push(Property::text(PropertyId::AuthenticationMethod, method.clone()));
                if let Some(data) = data {
                    properties.push(Property::binary(PropertyId::AuthenticationData, data.clone()));
                }
            }
            Some(Authentication::Scram { username, password, nonce }) => {
                self.connections += 1;
                let scram = Scram::new(username, password, &format!("{nonce}{}", self.connections));
                properties
                    .push(Property::text(PropertyId::AuthenticationMethod, scram::METHOD.into()));
                properties
                    .push(Property::binary(PropertyId::AuthenticationData, scram.first().into()));
                self.scram = Some(scram);
            }
        }
    }

    /// AUTH before CONNACK: the server wants another step (§4.12.0.1).
    pub(super) fn continue_authentication(&mut self, auth: &Auth) -> Result<(), Violation> {
        let (ReasonCode::CONTINUE_AUTHENTICATION, Some(scram)) = (auth.code, &mut self.scram)
        else {
            return Err(Violation::Unexpected("AUTH"));
        };
        let challenge = auth.properties.authentication_data().cloned().unwrap_or_default();
        let answer = scram.answer(&challenge).map_err(Violation::Authentication)?;
        let mut properties = Properties::default();
        properties.push(Property::text(PropertyId::AuthenticationMethod, scram::METHOD.into()));
        properties.push(Property::binary(PropertyId::AuthenticationData, Bytes::from(answer)));
        self.send(&Packet::Auth(Auth { code: ReasonCode::CONTINUE_AUTHENTICATION, properties }));
        Ok(())
    }

    /// CONNACK: the server must show that it knows the password, too.
    pub(super) fn end_authentication(&mut self, connack: &ConnAck) -> Result<(), Violation> {
        match self.scram.take() {
            Some(scram) if connack.code == ReasonCode::SUCCESS => {
                let proof = connack.properties.authentication_data().cloned().unwrap_or_default();
                scram.verify(&proof).map_err(Violation::Authentication)
            }
            _ => Ok(()),
        }
    }
}
