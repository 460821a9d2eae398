//! `voice-connector keys` and `policies`: who may use the API, managed on its host.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use config::Config;

use super::control::Which;
use super::fail;
use super::file::NeededFile;
use super::output::{say, tell};
use crate::api::{self, Act, KeyLine, NewKey, Told};
use crate::daemon::{Command, Response};

/// What is done with keys.
#[derive(Subcommand)]
pub(super) enum Keys {
    /// Make an access key and print it, its secret for the only time: for the environment of boto3, the AWS CLI and SDKs. Without a
    /// role it may do everything.
    Create {
        #[command(flatten)]
        of: Of,
        /// Whose it is, in denials and the audit.
        #[arg(long, value_name = "NAME", default_value = "root")]
        user: String,
        /// What it may do: administrator, reader, numbers, trunks or a policy that is kept; may be there several times.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// It is refused after so many days.
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
    },
    /// List the access keys, without their secrets.
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Make another key for the user of this one, with the same roles, and print it; the old one is taken for a while longer.
    Rotate {
        /// The access key id.
        #[arg(value_name = "KEY")]
        id: String,
        #[command(flatten)]
        of: Of,
        /// How long the old one is still taken: 0s, 24h, 7d.
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = config::parse_duration)]
        overlap: Duration,
    },
    /// Refuse a key from now on.
    Disable {
        /// The access key id.
        #[arg(value_name = "KEY")]
        id: String,
        #[command(flatten)]
        of: Of,
    },
    /// Take a key again that was disabled.
    Enable {
        /// The access key id.
        #[arg(value_name = "KEY")]
        id: String,
        #[command(flatten)]
        of: Of,
    },
    /// Refuse a key from some time on.
    #[command(group(ArgGroup::new("when").required(true)))]
    Expire {
        /// The access key id.
        #[arg(value_name = "KEY")]
        id: String,
        #[command(flatten)]
        of: Of,
        /// From then on: 0s, 24h, 30d.
        #[arg(long, value_name = "TIME", group = "when", value_parser = config::parse_duration)]
        after: Option<Duration>,
        /// Take it for ever.
        #[arg(long, group = "when")]
        never: bool,
    },
    /// Say what a key may do from now on, in place of what it could.
    Grant {
        /// The access key id.
        #[arg(value_name = "KEY")]
        id: String,
        #[command(flatten)]
        of: Of,
        /// administrator, reader, numbers, trunks or a policy that is kept; may be there several times. None: nothing.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
    },
    /// Forget a key.
    Delete {
        /// The access key id.
        #[arg(value_name = "KEY")]
        id: String,
        #[command(flatten)]
        of: Of,
    },
}

/// What is done with policies.
#[derive(Subcommand)]
pub(super) enum Policies {
    /// List the policies that are kept.
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Print a policy that is kept, or that of a role.
    Show {
        /// Its name.
        name: String,
        #[command(flatten)]
        of: Of,
    },
    /// Keep a policy, in place of the one of that name: keys that have it may do from now on what it says.
    Put {
        /// Its name.
        name: String,
        #[command(flatten)]
        of: Of,
        /// The JSON; without it standard input is read.
        #[arg(long, value_name = "FILE")]
        document: Option<PathBuf>,
    },
    /// Forget a policy that no key has.
    Delete {
        /// Its name.
        name: String,
        #[command(flatten)]
        of: Of,
    },
}

/// Whose keys, and how they are told.
#[derive(Args)]
pub(super) struct Of {
    #[command(flatten)]
    file: NeededFile,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Keys {
    pub(super) fn run(self) -> ExitCode {
        let (of, act) = match self {
            Keys::Create { of, user, roles, days } => (of, Act::CreateKey(NewKey { user, roles, days })),
            Keys::List { of } => (of, Act::ListKeys),
            Keys::Rotate { of, id, overlap } => (of, Act::RotateKey { id, overlap: overlap.as_secs() }),
            Keys::Disable { of, id } => (of, Act::DisableKey { id, disabled: true }),
            Keys::Enable { of, id } => (of, Act::DisableKey { id, disabled: false }),
            Keys::Expire { of, id, after, .. } => {
                (of, Act::ExpireKey { id, after: after.map(|after| after.as_secs()) })
            }
            Keys::Grant { of, id, roles } => (of, Act::GrantKey { id, roles }),
            Keys::Delete { of, id } => (of, Act::DeleteKey { id }),
        };
        of.carry_out(act)
    }
}

impl Policies {
    pub(super) fn run(self) -> ExitCode {
        let (of, act) = match self {
            Policies::List { of } => (of, Act::ListPolicies),
            Policies::Show { of, name } => (of, Act::ShowPolicy { name }),
            Policies::Put { of, name, document } => match read(document.as_deref()) {
                Ok(document) => (of, Act::PutPolicy { name, document }),
                Err(error) => return fail(error),
            },
            Policies::Delete { of, name } => (of, Act::DeletePolicy { name }),
        };
        of.carry_out(act)
    }
}

fn read(document: Option<&Path>) -> std::io::Result<String> {
    match document {
        Some(path) => std::fs::read_to_string(path),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
    }
}

impl Of {
    /// Asks the gateway where it runs, for it has the store open, and nobody else can; else opens the store.
    fn carry_out(&self, act: Act) -> ExitCode {
        let config = match Config::load(self.file.path()) {
            Ok((config, _)) => config,
            Err(errors) => {
                tell(errors);
                return ExitCode::FAILURE;
            }
        };
        let shows_one = matches!(act, Act::ShowPolicy { .. });
        if let Some(socket) = config.admin.socket.clone()
            && UnixStream::connect(&socket).is_ok()
        {
            let asked = Which::at(socket).open(None).and_then(|mut session| {
                session.ask(&Command::Access(act), |response| match response {
                    Response::Access(told) => say(self.text(&told, shows_one)),
                    other => tell(format_args!("this was not asked for: {other:?}")),
                })
            });
            return asked.map_or_else(|code| code, |()| ExitCode::SUCCESS);
        }
        let Some(settings) = config.api.clone() else {
            return fail("the configuration has no [api]: write one");
        };
        let inventory = match api::open(&settings, Arc::new(config)) {
            Ok(inventory) => inventory,
            Err(error) => {
                return fail(format_args!(
                    "{error}; while the gateway runs it is asked by admin.socket, in [admin]"
                ));
            }
        };
        match api::act(&inventory, &act) {
            Ok(told) => {
                told.iter().for_each(|told| say(self.text(told, shows_one)));
                ExitCode::SUCCESS
            }
            Err(error) => fail(error),
        }
    }

    /// - `shows_one`: a policy is wanted whole.
    fn text(&self, told: &Told, shows_one: bool) -> String {
        if self.json {
            let json = match told {
                Told::NewKey(key) => serde_json::to_string(key),
                Told::Key(key) => serde_json::to_string(key),
                Told::Policy(policy) => serde_json::to_string(policy),
            };
            return json.unwrap_or_default() + "\n";
        }
        match told {
            Told::NewKey(key) => {
                format!("AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n", key.id, key.secret)
            }
            Told::Key(KeyLine { id, user, root, roles, state, created, expires }) => {
                let may = if *root { "everything".to_owned() } else { roles.join(",") };
                let may = if may.is_empty() { "nothing" } else { &may };
                let expires = expires.as_deref().unwrap_or("never");
                format!("{id:<20}  {state:<8}  {user:<16}  {may:<24}  made {created}  expires {expires}\n")
            }
            Told::Policy(policy) if shows_one => format!("{}\n", policy.document.trim_end()),
            Told::Policy(policy) => format!("{:<24}  {} keys\n", policy.name, policy.keys),
        }
    }
}
