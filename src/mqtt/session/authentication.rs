//! The user name and password of CONNECT, and the AUTH packets of enhanced authentication before
//! CONNACK (§4.12).

use bytes::Bytes;

use super::Violation;
use super::config::{Authentication, Login};
use crate::mqtt::packet::{Auth, ConnAck, Credentials};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::scram::{self, Scram};

/// The client's side of authentication. It lasts over several connections.
#[derive(Debug, Default)]
pub struct Authenticator {
    /// User name, password, enhanced authentication and user properties are left out of CONNECT.
    withheld: bool,
    /// The SCRAM exchange of the connection that is being opened.
    scram: Option<Scram>,
    /// The number of SCRAM exchanges so far: each needs a nonce of its own.
    exchanges: u64,
}

impl Authenticator {
    /// Leaves the credentials out of the next CONNECT, or puts them back. Returns whether that is a
    /// change.
    pub fn withhold(&mut self, withheld: bool) -> bool {
        std::mem::replace(&mut self.withheld, withheld) != withheld
    }

    /// Whether a property that the user gives is left out of the next CONNECT.
    pub fn withholds(&self, property: &Property) -> bool {
        self.withheld && property.id() == PropertyId::UserProperty
    }

    /// User name and password of the next CONNECT.
    pub fn credentials(&self, login: &Login) -> Credentials {
        if self.withheld { Credentials::default() } else { login.credentials.clone() }
    }

    /// Begins the authentication of a new connection: adds its properties to CONNECT.
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

    /// Answers an AUTH before CONNACK, with which the server asks for another step (§4.12.0.1).
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

    /// Ends the exchange at CONNACK, in which the server must prove that it knows the password,
    /// too.
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
