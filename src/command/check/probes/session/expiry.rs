//! When a session ends (MQTT 5 §3.1.2.11.2).

use std::time::Duration;

use super::{EXPIRY, begin_session, enter, keeping, leave};
use crate::command::check::bench::Bench;
use crate::command::check::finding::{Finding, Probed};
use crate::mqtt::packet::Disconnect;
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::reason::ReasonCode;

/// The expiry that is waited for, in seconds.
const SHORT: u32 = 3;

/// The longest that is waited for, where the server gives another, in seconds.
const LONGEST: u32 = 10;

/// How much later than its time a session may end.
const MARGIN: Duration = Duration::from_secs(3);

pub fn session_expiry(bench: &mut Bench) -> Probed {
    let connect = keeping(bench, SHORT)?;
    let (conn, connack) = enter(bench, &connect)?;
    let seconds = connack.properties.session_expiry_interval().unwrap_or(SHORT);
    if seconds == 0 {
        return Ok(Finding::not_applicable("the server keeps no sessions"));
    }
    if seconds > LONGEST {
        return Ok(Finding::unknown(format!("the server makes {seconds} s of 3 s")));
    }
    let expiry = Duration::from_secs(seconds.into());
    bench.allow(expiry + MARGIN + expiry);
    bench.cut(conn);
    bench.idle(expiry / 3)?;
    let (conn, connack) = enter(bench, &connect)?;
    if !connack.session_present {
        let words = format!("the session was gone after 1/3 of its {seconds} s");
        return Ok(Finding::fail(words));
    }
    bench.cut(conn);
    bench.idle(expiry + MARGIN)?;
    let (_, connack) = enter(bench, &connect)?;
    Ok(if connack.session_present {
        Finding::fail(format!("the session was still there 3 s after its {seconds} s"))
    } else {
        Finding::pass(format!("there while its {seconds} s lasted, gone after them"))
    })
}

pub fn expiry_on_disconnect(bench: &mut Bench) -> Probed {
    let cases = [
        (EXPIRY, 0, "DISCONNECT set the expiry to 0, and the session was there on return"),
        (0, EXPIRY, "a session that was to end with its connection got an expiry by DISCONNECT"),
    ];
    for (before, after, wrong) in cases {
        let connect = keeping(bench, before)?;
        let conn = begin_session(bench, &connect, before.min(1))?;
        let expiry = Property::number(PropertyId::SessionExpiryInterval, after);
        let properties = Properties(vec![expiry]);
        leave(bench, conn, Disconnect { code: ReasonCode::SUCCESS, properties })?;
        let (conn, connack) = enter(bench, &connect)?;
        if connack.session_present {
            return Ok(Finding::fail(wrong));
        }
        bench.close(conn);
    }
    Ok(Finding::pass("the session was gone after DISCONNECT with expiry 0"))
}
