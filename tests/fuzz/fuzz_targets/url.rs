//! URLs: what one of them says can be written again and says the same, and nothing that may be
//! secret is shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqttws_fuzz::transport::endpoint::{DEFAULT_TARGET, Endpoint};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let endpoint = match Endpoint::parse(text) {
        Ok(endpoint) => endpoint,
        Err(error) => return assert!(!error.to_string().chars().any(char::is_control), "{error}"),
    };
    assert!(endpoint.port > 0 && endpoint.target.starts_with('/'));
    let Endpoint { scheme, ref host, port, ref target, .. } = endpoint;
    let anonymous = Endpoint { user: None, typed_host: None, ..endpoint.clone() };
    // As separate options.
    assert_eq!(Endpoint::from_parts(scheme, host, Some(port), Some(target)), Ok(anonymous.clone()));
    // In full, a zone aside: it is of local meaning.
    let zoneless = Endpoint { host: host.split('%').next().unwrap_or_default().to_owned(), ..anonymous };
    let url = format!("{scheme}://{}{target}", endpoint.host_header());
    assert_eq!(Endpoint::parse(&url), Ok(zoneless.clone()));
    // As it is shown: without the user and what the query says.
    let path = target.split_once('?').map(|(path, _)| format!("{path}?..."));
    let shown = Endpoint { target: path.unwrap_or_else(|| target.clone()), ..zoneless };
    assert_eq!(Endpoint::parse(&endpoint.to_string()), Ok(shown));
    assert_eq!(format!("{endpoint:?}"), format!("Endpoint({endpoint})"));
    assert!(text.contains("://") && (text.contains(target.as_str()) || target.starts_with(DEFAULT_TARGET)));
});
