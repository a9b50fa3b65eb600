//! What is done: each QoS over ws and wss, in MQTT 3.1.1 and 5, as fast as it goes; then at a rate,
//! with shared subscriptions, retained messages, wills, and connections that are cut, do not read
//! or are made anew all the time.

/// Whose broker it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerName {
    /// `mqttws serve`
    Serve,
    /// Debian's mosquitto.
    Mosquitto,
}

impl BrokerName {
    fn word(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Mosquitto => "mosquitto",
        }
    }
}

/// What is done to the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// The subscribers form groups.
    Shared,
    /// Messages are retained before the others subscribe.
    Retained,
    /// Half of the subscribers are cut, and their wills are due.
    Wills,
    /// All subscribers are cut, and have sessions (QoS 1 and 2).
    Cut,
    /// All publishers are cut (QoS 1 and 2).
    CutPublishers,
    /// Half of the subscribers do not read for a second.
    Stall,
    /// Connections are made anew all the time.
    Churn,
}

/// One run.
#[derive(Debug, Clone)]
pub struct RealPlan {
    pub name: String,
    pub broker: BrokerName,
    pub is_tls: bool,
    pub version: &'static str,
    pub qos: u8,
    pub trouble: Trouble,
    pub flags: String,
}

/// How many messages of each QoS are sent as fast as it goes.
const COUNTS: [u64; 3] = [700_000, 450_000, 250_000];

/// All runs: 8 times 1.4 million messages as fast as it goes, and those of the troubles.
pub fn all() -> Vec<RealPlan> {
    let mut plans = Vec::new();
    for broker in [BrokerName::Serve, BrokerName::Mosquitto] {
        for version in ["3.1.1", "5"] {
            for is_tls in [false, true] {
                plans.extend((0..3).map(|qos| fast(broker, version, is_tls, qos)));
            }
            for (trouble, name, flags) in TROUBLES {
                let qos = (0..3).filter(|qos| can(trouble, *qos));
                plans.extend(qos.map(|qos| troubled(broker, version, qos, (trouble, name, flags))));
            }
        }
    }
    plans
}

fn fast(broker: BrokerName, version: &'static str, is_tls: bool, qos: u8) -> RealPlan {
    let (scheme, count) = (if is_tls { "wss" } else { "ws" }, COUNTS[usize::from(qos)]);
    RealPlan {
        name: format!("{}-{version}-{scheme}-q{qos}", broker.word()),
        broker,
        is_tls,
        version,
        qos,
        trouble: Trouble::None,
        flags: format!("--pub 4 --sub 4 -q {qos} --size 32..256 -C {count}"),
    }
}

/// Each trouble, its name and its flags, beside a load of 2,000 messages a second for six seconds.
const TROUBLES: [(Trouble, &str, &str); 7] = [
    (Trouble::Shared, "share", "--pub 8 --sub 8 --share-groups 2"),
    (Trouble::Retained, "retained", "--pub 8 --sub 8 --retained"),
    (Trouble::Wills, "will", "--pub 8 --sub 8 --will --cut sub:50%@2s:rst"),
    (Trouble::Cut, "cut", "--pub 8 --sub 8 -c --cut sub:100%@1s:rst --cut sub:50%@3s:fin"),
    (Trouble::CutPublishers, "cut-pub", "--pub 8 --sub 8 -c --cut pub:100%@2s:rst"),
    (Trouble::Stall, "stall", "--pub 8 --sub 8 --stall sub:50%@2s:1s"),
    (Trouble::Churn, "churn", "--pub 8 --sub 8 --churn 20"),
];

/// Whether nothing may be lost with this trouble: a connection that is cut loses what is under way
/// at QoS 0.
fn can(trouble: Trouble, qos: u8) -> bool {
    qos > 0 || !matches!(trouble, Trouble::Cut | Trouble::CutPublishers)
}

fn troubled(
    broker: BrokerName,
    version: &'static str,
    qos: u8,
    (trouble, name, flags): (Trouble, &str, &str),
) -> RealPlan {
    let rest = "--rate 2000 --for 6s --warmup 1 --max-lateness never";
    // A session that ends with the connection is what MQTT 5 has otherwise.
    let has_session = matches!(trouble, Trouble::Cut | Trouble::CutPublishers);
    let expiry = if has_session && version == "5" { "-x 60" } else { "" };
    RealPlan {
        name: format!("{}-{version}-{name}-q{qos}", broker.word()),
        broker,
        is_tls: false,
        version,
        qos,
        trouble,
        flags: format!("{flags} {expiry} -q {qos} {rest}"),
    }
}
