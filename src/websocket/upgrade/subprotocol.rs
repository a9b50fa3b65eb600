//! Decides which subprotocols in a response are accepted, accepted with a warning, or refused.

use super::error::{BadUpgrade, UpgradeError};
use super::{shortened, tokens};

/// The beginning of the warning about an answer without a subprotocol.
pub const NONE_CONFIRMED: &str = "the server confirmed no subprotocol";

/// Checks `answered` against `offered`. A warning describes the deviation that was accepted.
pub fn judge(
    offered: &[String],
    answered: Option<&str>,
    strict: bool,
) -> Result<Option<String>, UpgradeError> {
    // Some servers send the header without a value.
    let answered = answered.filter(|name| !name.is_empty());
    let refuse = |tolerable| {
        let answered = answered.map(|name| shortened(name, 100));
        Err(UpgradeError::Bad(BadUpgrade::Subprotocol {
            offered: offered.to_vec(),
            answered,
            tolerable,
        }))
    };
    match tolerated(offered, answered) {
        SubprotocolVerdict::Offered => Ok(None),
        SubprotocolVerdict::Tolerable(_) if strict => refuse(true),
        SubprotocolVerdict::Tolerable(warning) => Ok(Some(warning)),
        SubprotocolVerdict::Unacceptable => refuse(false),
    }
}

enum SubprotocolVerdict {
    Offered,
    Tolerable(String),
    Unacceptable,
}

fn tolerated(offered: &[String], answered: Option<&str>) -> SubprotocolVerdict {
    let Some(answered) = answered else {
        let warning = || format!("{NONE_CONFIRMED} (offered: {})", offered.join(", "));
        return if offered.is_empty() {
            SubprotocolVerdict::Offered
        } else {
            SubprotocolVerdict::Tolerable(warning())
        };
    };
    let is_offered = |name: &str| offered.iter().any(|offer| offer.eq_ignore_ascii_case(name));
    let is_ours = |name: &str| is_offered(name) || is_mqtt(name);
    let shown = shortened(answered, 100);
    if offered.iter().any(|offer| offer == answered) {
        SubprotocolVerdict::Offered
    } else if is_offered(answered) {
        SubprotocolVerdict::Tolerable(format!(
            "the server answered with subprotocol \"{shown}\" in another letter case"
        ))
    } else if answered.contains(',') && tokens(answered).any(is_ours) {
        SubprotocolVerdict::Tolerable(format!(
            "the server answered with a list of subprotocols: \"{shown}\""
        ))
    } else if is_mqtt(answered) && !answered.contains(',') {
        SubprotocolVerdict::Tolerable(format!(
            "the server answered with subprotocol \"{shown}\", which was not offered"
        ))
    } else {
        SubprotocolVerdict::Unacceptable
    }
}

/// Whether this is a name of MQTT: `mqtt`, `mqttv3.1`, `MQTT` and the like.
fn is_mqtt(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("mqtt"))
}
