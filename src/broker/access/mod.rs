//! Who may come in, and who may do what, as pure judgements: the origin of a page, the name that a
//! client uses for us, users with their passwords, and topics.

pub mod acl;
mod derivation;
mod host;
pub mod origin;
pub mod users;

use acl::Acl;
use origin::Origin;
use users::Users;

use crate::websocket::upgrade::Request;
use crate::websocket::upgrade::accept::Refusal;

/// Who may come in, and who may do what.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Which upgrades are accepted.
    pub upgrades: UpgradeRules,
    /// The users that may connect; `None` lets in everybody.
    pub users: Option<Users>,
    /// What they may read and write; `None` is everything.
    pub acl: Option<Acl>,
}

/// Which upgrades are accepted, beside what RFC 6455 demands.
#[derive(Debug, Clone, Default)]
pub struct UpgradeRules {
    /// The origins of pages that may connect, beside those of this machine.
    pub origins: Vec<Origin>,
    /// From where clients may come.
    pub reach: Reach,
}

/// From where clients may come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// From this machine alone.
    #[default]
    Local,
    /// From everywhere.
    Remote,
}

impl UpgradeRules {
    /// Judges a request; the refusal names the flag that would let it in.
    pub fn judge(&self, request: &Request) -> Result<(), Refusal> {
        let judged = self.judge_host(request).and_then(|()| self.judge_origin(request));
        judged.map_err(|sentence| Refusal::new("403 Forbidden", sentence))
    }

    fn judge_host(&self, request: &Request) -> Result<(), String> {
        let mut hosts = values(request, "Host").take(1).chain(request.authority.as_deref());
        match (self.reach, hosts.find(|host| !host::is_local(host))) {
            (Reach::Local, Some(host)) => Err(host::refusal(host)),
            (Reach::Local, None) | (Reach::Remote, _) => Ok(()),
        }
    }

    fn judge_origin(&self, request: &Request) -> Result<(), String> {
        for value in values(request, "Origin") {
            let origin = value.parse::<Origin>();
            if !origin.is_ok_and(|origin| origin.is_local() || self.origins.contains(&origin)) {
                return Err(origin::refusal(value));
            }
        }
        Ok(())
    }
}

/// The values of the headers of this name.
fn values<'a>(request: &'a Request, name: &'a str) -> impl Iterator<Item = &'a str> {
    let headers = request.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
    headers.map(|(_, value)| value.as_str())
}

/// A text of a client in a sentence: not all of a long one.
fn quoted(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::upgrade::parse_request;

    fn judged(rules: &UpgradeRules, headers: &str) -> Result<(), String> {
        let request = format!("GET /mqtt HTTP/1.1\r\n{headers}\r\n");
        let (request, _) = parse_request(request.as_bytes()).unwrap().unwrap();
        rules.judge(&request).map_err(|refusal| {
            assert_eq!(refusal.status, "403 Forbidden");
            refusal.sentence
        })
    }

    const LOCAL: &str = "Host: localhost:8080\r\n";

    #[test]
    fn pages_of_this_machine_and_programs_come_in() {
        let rules = UpgradeRules::default();
        for origin in [
            "",
            "Origin: http://localhost:3000\r\n",
            "Origin: https://LOCALHOST\r\n",
            "origin: http://127.0.0.1:5173\r\n",
            "Origin: http://[::1]\r\n",
        ] {
            assert_eq!(judged(&rules, &format!("{LOCAL}{origin}")), Ok(()), "{origin}");
        }
    }

    #[test]
    fn other_pages_need_the_flag_that_the_refusal_names() {
        let rules = UpgradeRules::default();
        let refused = "start mqttws serve with --allow-origin https://app.example to let in pages \
                       of this origin";
        let page = format!("{LOCAL}Origin: https://app.example\r\n");
        assert_eq!(judged(&rules, &page), Err(refused.to_owned()));
        let allowed = UpgradeRules {
            origins: vec!["https://app.example".parse().unwrap()],
            ..UpgradeRules::default()
        };
        assert_eq!(judged(&allowed, &page), Ok(()));
        assert_eq!(judged(&allowed, &page.replace("app.example", "APP.example:443")), Ok(()));
        for other in [
            "http://app.example",
            "https://app.example:8443",
            "https://app.example.evil",
            "https://localhost.evil",
            "http://localhost@evil.example",
            "http://127.0.0.1.evil.example:80",
            "https://app.example https://evil.example",
            "https://app.example/x",
            "null",
            "x",
            "",
        ] {
            let page = format!("{LOCAL}Origin: {other}\r\n");
            assert!(judged(&allowed, &page).is_err(), "{other}");
        }
        // A proxy on the way may add one: each must be allowed.
        assert!(judged(&allowed, &format!("{page}Origin: https://evil.example\r\n")).is_err());
    }

    /// A sandboxed frame of any page, and a file, send `null`.
    #[test]
    fn null_is_an_origin_that_must_be_allowed_by_name() {
        let null = format!("{LOCAL}Origin: null\r\n");
        let refused = judged(&UpgradeRules::default(), &null).unwrap_err();
        assert!(refused.contains("--allow-origin null to let in pages"), "{refused}");
        let allowed =
            UpgradeRules { origins: vec!["null".parse().unwrap()], ..UpgradeRules::default() };
        assert_eq!(judged(&allowed, &null), Ok(()));
        assert!(judged(&allowed, &format!("{LOCAL}Origin: https://app.example\r\n")).is_err());
    }

    #[test]
    fn a_name_that_leads_here_is_refused_unless_others_may_come() {
        let (local, remote) =
            (UpgradeRules::default(), UpgradeRules { reach: Reach::Remote, origins: Vec::new() });
        let rebound = "Host: evil.example:8080\r\n";
        let refused = judged(&local, rebound).unwrap_err();
        assert_eq!(
            refused,
            "start mqttws serve with --allow-remote to let in clients that call it \
             evil.example:8080, which is neither an address nor localhost (DNS rebinding)"
        );
        assert_eq!(judged(&remote, rebound), Ok(()));
        // The page of that name is still another one.
        let page = format!("{rebound}Origin: http://evil.example:8080\r\n");
        assert!(judged(&remote, &page).is_err());
        // Whether there must be one is for the upgrade to say.
        assert_eq!(judged(&local, ""), Ok(()));
    }

    /// A target that is a whole URI names a host, too.
    #[test]
    fn the_host_of_the_target_counts() {
        for (authority, is_local) in [("localhost:8080", true), ("evil.example", false)] {
            let request = format!("GET http://{authority}/mqtt HTTP/1.1\r\n{LOCAL}\r\n");
            let (request, _) = parse_request(request.as_bytes()).unwrap().unwrap();
            assert_eq!(UpgradeRules::default().judge(&request).is_ok(), is_local, "{authority}");
        }
    }

    #[test]
    fn a_sentence_quotes_no_more_than_it_needs() {
        let page = format!("{LOCAL}Origin: https://{}\r\n", "ä".repeat(1000));
        let refused = judged(&UpgradeRules::default(), &page).unwrap_err();
        assert!(refused.contains("ä... to let in") && refused.len() < 400, "{refused}");
    }
}
