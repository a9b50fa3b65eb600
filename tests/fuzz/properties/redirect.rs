//! Redirects, one after the other: each leads to a whole address without credentials, never from wss
//! to ws, never twice to the same one, and not more than five are followed.

use super::upgrade::assert_harmless;
use crate::transport::endpoint::{Endpoint, Scheme};
use crate::transport::redirect::{Redirects, keeps_credentials};
use crate::websocket::upgrade::{HttpResponse, Location, UpgradeError};

const LIMIT: usize = 5;

const BEGIN: [&str; 3] = ["wss://ann:pw@host/a/b?token=1", "ws://host:8080/", "ws://[::1]/mqtt"];

pub fn check(data: &[u8]) {
    let Some((first, locations)) = data.split_first() else { return };
    let mut here = Endpoint::parse(BEGIN[usize::from(*first) % 3]).expect("a URL");
    let mut redirects = Redirects::from(&here);
    let mut visited = vec![here.clone()];
    for location in String::from_utf8_lossy(locations).lines().take(20) {
        let refusal = HttpResponse {
            status: 302,
            location: Some(Location { target: location.to_owned(), shown: location.to_owned() }),
            ..HttpResponse::default()
        };
        let next = redirects.next(&UpgradeError::Status(Box::new(refusal)));
        let next = match next.expect("it is a redirect") {
            Ok(next) => next,
            Err(error) => {
                assert_harmless(&error.to_string());
                continue;
            }
        };
        assert!(next.user.is_none() && next.port > 0 && next.target.starts_with('/'), "{next:?}");
        assert!(here.scheme == Scheme::Ws || next.scheme == Scheme::Wss, "{here} to {next}");
        assert!(!visited.contains(&next), "{next} again");
        let is_same_host = next.host.eq_ignore_ascii_case(&here.host);
        assert!(is_same_host || !keeps_credentials(&here, &next), "{here} to {next}");
        // It is an address that could have been typed.
        if !next.host.contains('%') {
            let url = format!("{}://{}{}", next.scheme, next.host_header(), next.target);
            assert_eq!(Endpoint::parse(&url), Ok(next.clone()), "{url}");
        }
        visited.push(next.clone());
        here = next;
        assert!(visited.len() <= LIMIT + 1, "{} redirects", visited.len() - 1);
    }
}
