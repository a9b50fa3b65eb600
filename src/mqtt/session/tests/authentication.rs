//! Enhanced authentication: one step, and SCRAM-SHA-256 with a server that is made here.

use std::num::NonZeroU32;

use ring::{digest, hmac, pbkdf2};

use super::*;
use crate::mqtt::packet::Auth;
use crate::mqtt::scram::ScramError;
use crate::mqtt::session::Authentication;

fn with(authentication: Authentication) -> Login {
    Login { authentication: Some(authentication), ..Login::default() }
}

fn scram(password: &'static [u8]) -> Config {
    let (username, nonce) = ("user".to_owned(), "abc".to_owned());
    let authentication = Authentication::Scram { username, password: password.into(), nonce };
    Config { login: with(authentication), ..config(Version::V5) }
}

fn data(properties: &Properties) -> String {
    let data = properties.authentication_data().expect("authentication data");
    String::from_utf8(data.to_vec()).expect("SCRAM is text")
}

fn auth(data: &str) -> Packet {
    let properties = Properties(vec![
        Property::text(PropertyId::AuthenticationMethod, "SCRAM-SHA-256".into()),
        Property::binary(PropertyId::AuthenticationData, data.to_owned().into()),
    ]);
    Packet::Auth(Auth { code: ReasonCode::CONTINUE_AUTHENTICATION, properties })
}

fn connect_data(client: &mut Client) -> String {
    client.session.connect();
    let sent = client.sent();
    let [Packet::Connect(connect)] = &sent[..] else { panic!("CONNECT goes out alone: {sent:?}") };
    assert_eq!(
        connect.properties.authentication_method().map(|method| &**method),
        Some("SCRAM-SHA-256")
    );
    data(&connect.properties)
}

fn sign(key: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes()).as_ref().to_vec()
}

/// A server that knows the password: it checks the client's proof and shows its own (RFC 5802 §3).
fn server_final(
    password: &[u8],
    client_first: &str,
    server_first: &str,
    client_final: &str,
) -> String {
    let mut salted = [0; 32];
    let iterations = NonZeroU32::new(4096).expect("not zero");
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, b"salt", password, &mut salted);
    let (without_proof, proof) = client_final.split_once(",p=").expect("a proof");
    let bare = client_first.strip_prefix("n,,").expect("no channel binding");
    let message = format!("{bare},{server_first},{without_proof}");
    let stored = digest::digest(&digest::SHA256, &sign(&salted, "Client Key"));
    let proof = data_encoding::BASE64.decode(proof.as_bytes()).expect("base64");
    let key: Vec<u8> =
        proof.iter().zip(sign(stored.as_ref(), &message)).map(|(a, b)| a ^ b).collect();
    assert_eq!(
        digest::digest(&digest::SHA256, &key).as_ref(),
        stored.as_ref(),
        "the client's proof is right"
    );
    let signature = sign(&sign(&salted, "Server Key"), &message);
    format!("v={}", data_encoding::BASE64.encode(&signature))
}

/// Runs the exchange up to the client's proof and returns the server's answer.
fn exchange(client: &mut Client, password: &[u8]) -> Packet {
    let first = connect_data(client);
    let nonce = first.rsplit_once("r=").expect("a nonce").1;
    let server_first = format!("r={nonce}XYZ,s=c2FsdA==,i=4096");
    assert_eq!(client.feed(&[auth(&server_first)]), []);
    let sent = client.sent();
    let [Packet::Auth(answer)] = &sent[..] else { panic!("AUTH is answered by AUTH: {sent:?}") };
    assert_eq!(answer.code, ReasonCode::CONTINUE_AUTHENTICATION);
    let proof = server_final(password, &first, &server_first, &data(&answer.properties));
    refusal_or_success(
        false,
        ReasonCode::SUCCESS,
        &[Property::binary(PropertyId::AuthenticationData, proof.into())],
    )
}

#[test]
fn both_sides_prove_that_they_know_the_password_and_each_connection_has_its_nonce() {
    let mut client = Client::new(scram(b"pencil"));
    let connack = exchange(&mut client, b"pencil");
    assert!(matches!(client.feed(&[connack])[..], [Event::Connected(_)]));
    client.lose();
    assert_eq!(connect_data(&mut client), "n,,n=user,r=abc2");
}

#[test]
fn a_server_that_proves_nothing_is_refused() {
    let mut client = Client::new(scram(b"pencil"));
    exchange(&mut client, b"pencil");
    let (violation, _) = client.violated(connack(false));
    assert_eq!(violation, Violation::Authentication(ScramError::Malformed("no signature")));
}

#[test]
fn a_challenge_that_is_none_is_refused() {
    let mut client = Client::new(scram(b"pencil"));
    connect_data(&mut client);
    let (violation, _) = client.violated(auth("r=other,s=c2FsdA==,i=1"));
    assert_eq!(
        violation,
        Violation::Authentication(ScramError::Malformed("a nonce other than the client's"))
    );
}

#[test]
fn one_step_is_said_in_connect_and_has_no_second() {
    let (method, secret) = ("OAUTH2-JWT".into(), Some(Bytes::from_static(b"token")));
    let authentication = Authentication::OneStep { method, data: secret };
    let mut client = Client::new(Config { login: with(authentication), ..config(Version::V5) });
    client.session.connect();
    let sent = client.sent();
    let [Packet::Connect(connect)] = &sent[..] else { panic!("CONNECT goes out alone: {sent:?}") };
    assert_eq!(
        connect.properties.authentication_method().map(|method| &**method),
        Some("OAUTH2-JWT")
    );
    assert_eq!(data(&connect.properties), "token");
    assert_eq!(client.violated(auth("more")).0, Violation::Unexpected("AUTH"));
}
