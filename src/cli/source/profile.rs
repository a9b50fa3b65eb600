//! Profiles become flags before those that were typed. The order is: flag, profile that was typed,
//! environment (`$MQTTWS_PROFILE`, too), `[profile.default]`. What authenticates us at the url of a
//! profile is used with that url only.

mod file;
mod of_one;
mod overview;

use std::env;
use std::ffi::{OsStr, OsString};

use anyhow::{Result, bail, ensure};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::{Table, Value};

use super::print_config::Origins;
use super::variable;
use crate::cli::property::identifies;
use crate::exit::Usage;
use crate::transport::endpoint::{Endpoint, Scheme};
use file::{ProfileFile, usual_place, written_for};
pub use of_one::of_one;
pub use overview::{Overview, Rows};

/// The profile that is always read.
const DEFAULT: &str = "default";

/// The variable that names a profile.
const PROFILE: &str = "MQTTWS_PROFILE";

/// The variable with the address.
const URL: &str = "MQTTWS_URL";

/// The flags of the address: those of the strongest place that has one replace all others.
const ADDRESS: [&str; 5] = ["url", "host", "port", "path", "url-command"];

/// The identifiers of these flags.
const ADDRESS_IDS: [&str; 6] = ["url", "url_flag", "host", "port", "path", "url_command"];

/// The flags of the password: one of them replaces all others.
const PASSWORD: [&str; 5] =
    ["pw", "password", "password-file", "ask-password", "credentials-command"];

/// The flag of `bench` that replaces user name and password.
const USERS: &str = "users";

/// The flags of the authentication data, likewise.
const AUTH_DATA: [&str; 2] = ["auth-data", "auth-data-file"];

/// The flags that authenticate us at a server: beside an address they are meant for that one.
const CREDENTIALS: [&str; 15] = [
    "username",
    "pw",
    "password",
    "password-file",
    "ask-password",
    "credentials-command",
    "auth-method",
    "auth-data",
    "auth-data-file",
    "header",
    "basic-auth",
    "bearer",
    "cert",
    "key",
    "key-password-file",
];

/// The flags that say which servers are trusted.
const TRUST: [&str; 5] = ["cafile", "capath", "system-roots", "pin-sha256", "insecure"];

/// The variables beside that of the address, and the flags that they stand for.
const VARIABLES: [(&str, &[&str]); 6] = [
    ("MQTTWS_USERNAME", &["username"]),
    ("MQTTWS_PASSWORD", &PASSWORD),
    ("MQTTWS_CAFILE", &TRUST),
    ("SSLKEYLOGFILE", &["tls-keylog"]),
    ("no_proxy", &["no-proxy"]),
    ("NO_PROXY", &["no-proxy"]),
];

/// Whether there can be a profile at all: one is asked for, or the usual file is there.
pub fn may_matter(arguments: &[OsString]) -> bool {
    let asks = |argument: &OsString| {
        let bytes = argument.as_encoded_bytes();
        bytes.starts_with(b"--profile") || bytes.starts_with(b"--config")
    };
    arguments.iter().any(asks) || is_set(PROFILE) || usual_place().is_some_and(|path| path.exists())
}

/// The command line with the flags of its profiles before its own, and the source of each flag.
pub fn extended(arguments: Vec<OsString>, command: &Command) -> Result<(Vec<OsString>, Origins)> {
    let alone = |arguments| Ok((arguments, Origins::default()));
    // Errors are left to the parse that counts.
    let Ok(typed) = command.clone().ignore_errors(true).try_get_matches_from(&arguments) else {
        return alone(arguments);
    };
    let Some((name, typed)) = typed.subcommand() else { return alone(arguments) };
    let Some(verb) = command.find_subcommand(name).filter(|sub| has_flag(sub, "profile")) else {
        return alone(arguments);
    };
    let named = Named::find(typed);
    let Some(config) = ProfileFile::find(typed, named.is_some())? else { return alone(arguments) };
    let typed_ids = typed.ids().map(ToString::to_string).filter(|id| is_typed(typed, id)).collect();
    let mut origins =
        Origins { file: Some(config.path.clone()), typed: typed_ids, ..Origins::default() };
    let layers = layers(&config, named.as_ref())?;
    let address = ChosenAddress::find(&layers, typed);
    let order = Order { config: &config, layers: &layers, address, typed, all: command, verb };
    let mut flags = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        for (id, flag) in order.flags(at, &mut origins.warnings)? {
            origins.added.push((id, layer.name.to_owned()));
            flags.push(flag);
        }
    }
    let at =
        arguments.iter().position(|argument| argument == name).map_or(arguments.len(), |at| at + 1);
    Ok(([&arguments[..at], &flags, &arguments[at..]].concat(), origins))
}

/// The profile that somebody asked for.
struct Named {
    name: String,
    strength: Strength,
}

impl Named {
    fn find(typed: &ArgMatches) -> Option<Self> {
        let flag = typed.get_one::<String>("profile").cloned();
        let typed = flag.map(|name| Self { name, strength: Strength::Typed });
        typed.or_else(|| {
            let (_, name) = variable(PROFILE).filter(|(_, name)| !name.is_empty())?;
            Some(Self { name, strength: Strength::Environment })
        })
    }
}

/// How strong a profile is, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// It is read without being asked for.
    Default,
    /// `$MQTTWS_PROFILE` names it; variables for single flags are stronger still.
    Environment,
    /// `--profile` names it.
    Typed,
}

/// A profile that counts.
struct ProfileLayer<'a> {
    name: &'a str,
    strength: Strength,
    settings: &'a Table,
}

impl ProfileLayer<'_> {
    fn has_one_of(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.settings.contains_key(*key))
    }

    /// The profile as the user named it.
    fn described(&self) -> String {
        match self.strength {
            Strength::Typed => format!("--profile {}", self.name),
            Strength::Environment => format!("${PROFILE}, profile {}", self.name),
            Strength::Default => format!("profile {}", self.name),
        }
    }
}

/// The profiles that count, the weakest first.
fn layers<'a>(config: &'a ProfileFile, named: Option<&'a Named>) -> Result<Vec<ProfileLayer<'a>>> {
    let mut layers = Vec::new();
    let is_named = named.is_some_and(|named| named.name == DEFAULT);
    if let Some(settings) = config.profile(DEFAULT).filter(|_| !is_named) {
        layers.push(ProfileLayer { name: DEFAULT, strength: Strength::Default, settings });
    }
    if let Some(Named { name, strength }) = named {
        let Some(settings) = config.profile(name) else {
            let place = match strength {
                Strength::Typed => "--profile".to_owned(),
                _ => format!("${PROFILE}"),
            };
            let (path, known) = (config.path.display(), config.names());
            bail!(Usage::new(format!("{place}: no profile {name} in {path}; there are: {known}")));
        };
        layers.push(ProfileLayer { name, strength: *strength, settings });
    }
    Ok(layers)
}

/// Where the address in force comes from, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AddressOrigin {
    Nowhere,
    Layer(usize),
    Variable,
    Flag,
}

/// The address in force.
struct ChosenAddress {
    source: AddressOrigin,
    /// It, where it is a URL.
    url: Option<String>,
}

impl ChosenAddress {
    fn find(layers: &[ProfileLayer<'_>], typed: &ArgMatches) -> Self {
        if ADDRESS_IDS.iter().any(|id| is_typed(typed, id)) {
            let url = ["url", "url_flag"].iter().find_map(|id| typed.get_one::<String>(id));
            return Self { source: AddressOrigin::Flag, url: url.cloned() };
        }
        let strongest = layers.iter().rposition(|layer| layer.has_one_of(&ADDRESS));
        let of_profile = |at: usize| Self {
            source: AddressOrigin::Layer(at),
            url: urls(layers[at].settings.get("url")).next().map(str::to_owned),
        };
        match strongest {
            Some(at) if layers[at].strength == Strength::Typed => of_profile(at),
            _ if is_set(URL) => Self { source: AddressOrigin::Variable, url: env::var(URL).ok() },
            Some(at) => of_profile(at),
            None => Self { source: AddressOrigin::Nowhere, url: None },
        }
    }

    fn endpoint(&self) -> Option<Endpoint> {
        self.url.as_ref().and_then(|url| Endpoint::parse(url).ok())
    }

    /// The place in words that follow "the address is".
    fn described(&self, layers: &[ProfileLayer<'_>]) -> String {
        match self.source {
            AddressOrigin::Flag => "that of the command line".to_owned(),
            AddressOrigin::Variable => format!("that of ${URL}"),
            AddressOrigin::Layer(at) => format!("that of profile {}", layers[at].name),
            AddressOrigin::Nowhere => "another one".to_owned(),
        }
    }
}

/// Whether this flag of a profile authenticates us: one of [`CREDENTIALS`], or a property of
/// CONNECT.
fn is_credential(key: &str, flag: &OsStr) -> bool {
    let property = flag.to_str().and_then(|flag| flag.strip_prefix("--property="));
    CREDENTIALS.contains(&key) || property.is_some_and(identifies)
}

/// Leaves out those of these flags that authenticate us; whether there were any.
fn withhold(key: &str, written: &mut Vec<OsString>) -> bool {
    let all = written.len();
    written.retain(|flag| !is_credential(key, flag));
    written.len() < all
}

/// All that says which setting counts.
struct Order<'a> {
    config: &'a ProfileFile,
    layers: &'a [ProfileLayer<'a>],
    address: ChosenAddress,
    typed: &'a ArgMatches,
    all: &'a Command,
    verb: &'a Command,
}

impl Order<'_> {
    /// The flags of one profile that mean something to this verb and were not set in a stronger
    /// place, each with its identifier.
    fn flags(&self, at: usize, warnings: &mut Vec<String>) -> Result<Vec<(String, OsString)>> {
        let ProfileLayer { name, settings, .. } = &self.layers[at];
        let path = self.config.path.display();
        let mut flags = Vec::new();
        let mut withheld = Vec::new();
        for (key, value) in *settings {
            let known = |key: &str| self.all.get_subcommands().any(|sub| has_flag(sub, key));
            let check = ProfileFile::check_key(key, known);
            check.map_err(|wrong| Usage::new(format!("{path}: profile {name}: {wrong}")))?;
            self.config.check_exposure(key, value)?;
            let flag = self.verb.get_arguments().find(|arg| is_named(arg, key));
            let Some(flag) = flag.filter(|flag| !self.is_overruled(at, key, flag)) else {
                continue;
            };
            let value = self.without_overruled_user(at, key, &self.config.located(key, value));
            let mut written = written_for(flag, key, &value).ok_or_else(|| {
                Usage::new(format!("{path}: profile {name}: {key}: not a value for --{key}"))
            })?;
            if self.is_for_another_address(at) && withhold(key, &mut written) {
                withheld.push(key.as_str());
            }
            flags.extend(written.into_iter().map(|written| (flag.get_id().to_string(), written)));
        }
        if !withheld.is_empty() {
            warnings.push(self.without(at, &withheld)?);
        }
        Ok(flags)
    }

    /// Whether a stronger place replaces this setting.
    fn is_overruled(&self, at: usize, key: &str, flag: &Arg) -> bool {
        if ADDRESS.contains(&key) {
            return self.address.source != AddressOrigin::Layer(at);
        }
        // `pub` publishes to the topics of one place, and the files.
        let is_message = self.verb.get_name() == "pub" && ["topic", "file"].contains(&key);
        let adds = matches!(flag.get_action(), ArgAction::Append) && !is_message;
        let own = [key];
        let alternatives: &[&str] = match key {
            _ if PASSWORD.contains(&key) => &PASSWORD,
            _ if AUTH_DATA.contains(&key) => &AUTH_DATA,
            _ if adds => &[],
            _ => &own,
        };
        let of = |key: &&str| self.verb.get_arguments().find(|arg| is_named(arg, key));
        let is_login = key == "username" || PASSWORD.contains(&key);
        let is_typed_flag = alternatives
            .iter()
            .chain(is_login.then_some(&USERS))
            .filter_map(of)
            .any(|arg| is_typed(self.typed, arg.get_id().as_str()));
        let by_layer = self.layers[at + 1..].iter().any(|layer| layer.has_one_of(alternatives));
        is_typed_flag
            || by_layer
            || self.is_overruled_by_url(at, key)
            || self.is_in_variable(at, key)
    }

    /// Whether the URL of a stronger place holds the user name or the password.
    fn is_overruled_by_url(&self, at: usize, key: &str) -> bool {
        let is_stronger = match self.address.source {
            AddressOrigin::Flag => true,
            AddressOrigin::Variable => self.layers[at].strength != Strength::Typed,
            AddressOrigin::Layer(other) => other > at,
            AddressOrigin::Nowhere => false,
        };
        if !is_stronger || !(key == "username" || PASSWORD.contains(&key)) {
            return false;
        }
        let user = self.address.endpoint().and_then(|endpoint| endpoint.user);
        user.is_some_and(|(_, password)| key == "username" || password.is_some())
    }

    /// Whether a variable says it: variables are stronger than profiles that were not typed.
    fn is_in_variable(&self, at: usize, key: &str) -> bool {
        if self.layers[at].strength == Strength::Typed {
            return false;
        }
        if key == "proxy" {
            return self.proxy_variables().iter().any(|variable| is_set(variable));
        }
        let stands_for = |(_, keys): &&(&str, &[&str])| keys.contains(&key);
        VARIABLES.iter().filter(stands_for).any(|(variable, _)| match *variable {
            "MQTTWS_USERNAME" | "MQTTWS_PASSWORD" => env::var_os(variable).is_some(),
            variable => is_set(variable),
        })
    }

    fn proxy_variables(&self) -> &'static [&'static str] {
        match self.address.endpoint().map(|endpoint| endpoint.scheme) {
            Some(Scheme::Wss) => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
            Some(Scheme::Ws) => &["http_proxy", "all_proxy", "ALL_PROXY"],
            None => &["all_proxy", "ALL_PROXY"],
        }
    }

    /// A URL without its user name and password, where variables that are stronger give them.
    fn without_overruled_user(&self, at: usize, key: &str, value: &Value) -> Value {
        let Some((scheme, rest)) = value.as_str().and_then(|url| url.split_once("://")) else {
            return value.clone();
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let Some(user_end) = rest[..end].rfind('@') else { return value.clone() };
        let (user, place) = (&rest[..user_end], &rest[user_end + 1..]);
        if key == "url" && self.is_in_variable(at, "username") {
            Value::from(format!("{scheme}://{place}"))
        } else if key == "url" && self.is_in_variable(at, "pw") {
            let name = user.split(':').next().unwrap_or_default();
            Value::from(format!("{scheme}://{name}@{place}"))
        } else {
            value.clone()
        }
    }

    /// Whether this profile has an address, and another one is in force.
    fn is_for_another_address(&self, at: usize) -> bool {
        let layer = &self.layers[at];
        if !layer.has_one_of(&["url", "host", "url-command"])
            || self.address.source == AddressOrigin::Layer(at)
        {
            return false;
        }
        let own = urls(layer.settings.get("url")).next();
        let own = own.and_then(|url| Endpoint::parse(url).ok());
        let same = own.zip(self.address.endpoint()).is_some_and(|(own, used)| {
            let bare = |endpoint| Endpoint { user: None, typed_host: None, ..endpoint };
            bare(own) == bare(used)
        });
        !same
    }

    /// What to say about credentials that are not used; with a profile that was typed, an error.
    fn without(&self, at: usize, withheld: &[&str]) -> Result<String> {
        let layer = &self.layers[at];
        let (keys, profile) = (withheld.join(", "), layer.described());
        let address = self.address.described(self.layers);
        ensure!(
            layer.strength != Strength::Typed,
            Usage::new(format!(
                "{profile}: {keys} in it may be used only with the address in it, and the address \
                 is {address}: leave out one of the two"
            ))
        );
        Ok(format!(
            "{profile}: {keys} in it may be used only with the address in it, and the address is \
             {address}: going on without"
        ))
    }
}

/// The address of a profile, or its addresses.
pub(super) fn urls(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let one = value.and_then(Value::as_str);
    let several = value.and_then(Value::as_array).into_iter().flatten();
    one.into_iter().chain(several.filter_map(Value::as_str))
}

/// Whether a variable is set, and not empty.
fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn is_typed(typed: &ArgMatches, id: &str) -> bool {
    let is_known = typed.ids().any(|known| known.as_str() == id);
    is_known && typed.value_source(id) == Some(ValueSource::CommandLine)
}

fn has_flag(command: &Command, name: &str) -> bool {
    command.get_arguments().any(|arg| is_named(arg, name))
}

fn is_named(arg: &Arg, name: &str) -> bool {
    arg.get_long() == Some(name)
        || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
}
