//! The login in CONNECT, and the AUTH packets of enhanced authentication before CONNACK (§4.12).

use bytes::Bytes;

use super::Violation;
use super::config::{Authentication, Login};
use crate::mqtt::packet::{Auth, ConnAck, Credentials};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::scram::{self, Scram};

/// The client's side of authentication, from one connection to the next.
#[derive(Debug, Default)]
pub struct Authenticator {
    /// The login is left out of CONNECT.
    withheld: bool,
    /// The SCRAM exchange of the connection that is being opened.
    scram: Option<Scram>,
    /// How many SCRAM exchanges there were: each needs a nonce of its own.
    exchanges: u64,
}

impl Authenticator {
    /// Leaves the login out of the next CONNECT, or no longer; whether that is a change.
    pub fn withhold(&mut self, withheld: bool) -> bool {
        std::mem::replace(&mut self.withheld, withheld) != withheld
    }

    /// User name and password of the next CONNECT.
    pub fn credentials(&self, login: &Login) -> Credentials {
        if self.withheld { Credentials::default() } else { login.credentials.clone() }
    }

    /// Begins the exchange of a new connection: adds the properties of its CONNECT.
    pub fn begin(&mut self, login: &Login, properties: &mut Properties) {
        match login.authentication.as_ref().filter(|_| !self.withheld) {
            None => {}
            Some(Authentication::OneStep { method, data }) => {
                properties.push(Property::text(PropertyId::AuthenticationMethod, method.clone()));
                if let Some(data) = data {
                    properties.push(Property::binary(PropertyId::AuthenticationData, data.clone()));
                }
            }
            Some(Authentication::Scram { username, password, nonce }) => {
                self.exchanges += 1;
                let scram = Scram::new(username, password, &format!("{nonce}{}", self.exchanges));
                add_scram(scram.first(), properties);
                self.scram = Some(scram);
            }
        }
    }

    /// The answer to an AUTH before CONNACK: the server wants another step (§4.12.0.1).
    pub fn answer(&mut self, auth: &Auth) -> Result<Auth, Violation> {
        let (ReasonCode::CONTINUE_AUTHENTICATION, Some(scram)) = (auth.code, &mut self.scram)
        else {
            return Err(Violation::Unexpected("AUTH"));
        };
        let challenge = auth.properties.authentication_data().cloned().unwrap_or_default();
        let answer = scram.answer(&challenge).map_err(Violation::Authentication)?;
        let mut properties = Properties::default();
        add_scram(answer, &mut properties);
        Ok(Auth { code: ReasonCode::CONTINUE_AUTHENTICATION, properties })
    }

    /// CONNACK ends the exchange: the server must show that it knows the password, too.
    pub fn end(&mut self, connack: &ConnAck) -> Result<(), Violation> {
        match self.scram.take() {
            Some(scram) if connack.code == ReasonCode::SUCCESS => {
                let proof = connack.properties.authentication_data().cloned().unwrap_or_default();
                scram.verify(&proof).map_err(Violation::Authentication)
            }
            _ => Ok(()),
        }
    }
}

fn add_scram(message: String, properties: &mut Properties) {
    properties.push(Property::text(PropertyId::AuthenticationMethod, scram::METHOD.into()));
    properties.push(Property::binary(PropertyId::AuthenticationData, Bytes::from(message)));
}
