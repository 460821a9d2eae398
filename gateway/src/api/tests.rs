use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::metrics::Metrics;
use crate::record::{Opened, RecorderSettings};

fn config(directory: &Path, more: &str) -> Arc<Config> {
    let text = format!(
        "[[listen]]\naddress = \"127.0.0.1\"\n[api]\naddress = \"127.0.0.1:0\"\ndirectory = {:?}\n{more}",
        directory.join("api")
    );
    let (config, _) =
        Config::parse(&text, &directory.join("f.toml")).map_err(|errors| errors.to_string()).unwrap();
    Arc::new(config)
}

/// A recorder that writes below the directory, for as long as it lives.
fn records(directory: &Path) -> Opened {
    crate::record::open(&RecorderSettings::new(&directory.join("records")), Metrics::new("here").records())
        .unwrap()
}

fn parts(config: &Arc<Config>, records: &Opened) -> Parts {
    Parts {
        inventory: open(config.api.as_ref().unwrap(), config.clone()).unwrap(),
        health: Arc::default(),
        recorder: records.recorder.clone(),
        certified: certified(config).unwrap().map(|certified| Arc::new(Certified::new(certified))),
        pages: None,
    }
}

async fn ask(address: SocketAddr, text: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_stranger_hears_that_nothing_is_proved() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), "base_path = \"/api\"\n");
    let settings = config.api.clone().unwrap();
    let records = records(directory.path());
    let bound = Bound::bind(&settings, &config, parts(&config, &records)).await.unwrap();
    assert_eq!(bound.local_addr().ip(), Ipv4Addr::LOCALHOST);
    let address = bound.local_addr();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(bound.serve(async {
        let _ = stopped.await;
    }));
    let get = "GET /api/voice-connectors HTTP/1.1\r\nHost: x\r\n";
    let answer = ask(address, &format!("{get}Connection: close\r\n\r\n"), b"").await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    for part in ["x-amzn-errortype: UnauthorizedClientException\r\n", "x-amzn-requestid: "] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    let length = ::api::MAX_BODY + 1;
    let head = format!("PUT /api/settings HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    let answer = ask(address, &head, &vec![b' '; length]).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("longer than"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "what is left of the body is no request: {answer}");

    // A connection brings one request after another, so many and no more, and says so.
    let mut many = TcpStream::connect(address).await.unwrap();
    for number in 1..=listener::REQUESTS {
        many.write_all(format!("{get}\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with('}') {
            let mut bytes = [0; 4_096];
            let length = many.read(&mut bytes).await.unwrap();
            assert!(length > 0, "closed after {number}: {answer}");
            answer.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
        }
        let last = number == listener::REQUESTS;
        assert_eq!(answer.contains("connection: close"), last, "{number}: {answer}");
    }
    assert_eq!(many.read(&mut [0]).await.unwrap(), 0, "the server closes");

    // One that waits keeps the end of the server waiting for nothing.
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(format!("{get}\r\n").as_bytes()).await.unwrap();
    assert!(idle.read(&mut [0; 4_096]).await.unwrap() > 0);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[test]
fn what_is_managed_is_kept_with_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), "");
    let settings = config.api.clone().unwrap();
    let inventory = open(&settings, config.clone()).unwrap();
    let new = |user: &str, roles: &[&str]| NewKey {
        user: user.to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        days: Some(1),
    };
    let create = |user: &str, roles: &[&str]| {
        let told = act(&inventory, &Act::CreateKey(new(user, roles)))?;
        let [Told::NewKey(Issued { id, secret })] = &told[..] else { panic!("{told:?}") };
        assert!(!format!("{told:?}").contains(secret.as_str()), "shown by accident");
        Ok::<_, AccessError>((id.clone(), SecretString::from(secret.clone())))
    };
    let (id, secret) = create("root", &[]).unwrap();
    let (reader, _) = create("reader", &["reader", "numbers"]).unwrap();
    let error = create("king", &["king"]).unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no role \"king\"; write administrator, reader, numbers, trunks, or a policy that is kept"
    );
    assert!(matches!(open(&settings, config.clone()), Err(StoreError::Inventory(_))), "two have it");
    drop(inventory);

    let kept = directory.path().join("api");
    for file in ["seal.key", "objects.redb"] {
        let mode = fs::metadata(kept.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} {mode:o}");
        let bytes = fs::read(kept.join(file)).unwrap();
        let secret = secret.expose_secret().as_bytes();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret), "{file} has the secret");
    }
    let inventory = open(&settings, config.clone()).unwrap();
    let records = records(directory.path());
    let host = GatewayHost::new(inventory.clone(), Arc::default(), records.recorder.clone());
    let key = ::api::Host::key(&host, &id).unwrap();
    assert_eq!((key.secret.as_str(), &key.grant), (secret.expose_secret(), &::api::Grant::Root));
    assert!(key.expires.is_some_and(|expires| expires > OffsetDateTime::now_utc()));
    let ::api::Grant::Policies(policies) = ::api::Host::key(&host, &reader).unwrap().grant else {
        panic!("a key with roles is no root key")
    };
    assert_eq!(policies, ["reader", "numbers"].map(|role| ::api::access::role(role).unwrap()));
    drop((host, inventory));

    let seal = fs::read(kept.join("seal.key")).unwrap();
    fs::remove_file(kept.join("seal.key")).unwrap();
    assert!(matches!(open(&settings, config.clone()), Err(StoreError::NoKey { .. })));
    fs::write(kept.join("seal.key"), [7; 32]).unwrap();
    assert!(matches!(open(&settings, config.clone()), Err(StoreError::Inventory(_))));
    fs::write(kept.join("seal.key"), b"short").unwrap();
    assert!(matches!(open(&settings, config.clone()), Err(StoreError::WrongKey { .. })));
    fs::write(kept.join("seal.key"), seal).unwrap();
    open(&settings, config).unwrap();
}

/// What is told of the keys: user, state, and what they may do.
fn keys(inventory: &Inventory) -> Vec<(String, String, String)> {
    let told = act(inventory, &Act::ListKeys).unwrap();
    let mut keys: Vec<_> = told
        .into_iter()
        .map(|told| match told {
            Told::Key(key) => {
                (key.user, key.state, if key.root { "all".to_owned() } else { key.roles.join(",") })
            }
            other => panic!("{other:?}"),
        })
        .collect();
    keys.sort();
    keys
}

#[test]
fn keys_and_policies_are_managed_on_the_host_and_each_change_leaves_a_record() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), "");
    let records = records(directory.path());
    let inventory = open(config.api.as_ref().unwrap(), config.clone()).unwrap();
    let host = GatewayHost::new(inventory.clone(), Arc::default(), records.recorder.clone());
    let made = |act: &Act| {
        let told = act_audited(&inventory, &records.recorder, &config.gateway, act).unwrap();
        let [Told::NewKey(Issued { id, .. })] = &told[..] else { panic!("{told:?}") };
        id.clone()
    };
    let done = |act: Act| {
        act_audited(&inventory, &records.recorder, &config.gateway, &act).map_err(|error| error.to_string())
    };
    let new = |user: &str, roles: &[&str]| {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Act::CreateKey(NewKey { user: user.to_owned(), roles, days: None })
    };
    let (root, alice) = (made(&new("root", &[])), made(&new("alice", &["reader"])));
    let of = |user: &str, state: &str, may: &str| (user.to_owned(), state.to_owned(), may.to_owned());
    assert_eq!(keys(&inventory), [of("alice", "active", "reader"), of("root", "active", "all")]);

    let usable = |id: &str| {
        let key = ::api::Host::key(&host, id);
        key.is_some_and(|key| key.expires.is_none_or(|at| at > OffsetDateTime::now_utc()))
    };
    done(Act::DisableKey { id: alice.clone(), disabled: true }).unwrap();
    assert_eq!(keys(&inventory)[0].1, "disabled");
    assert!(!usable(&alice) && usable(&root));
    done(Act::DisableKey { id: alice.clone(), disabled: false }).unwrap();
    assert!(usable(&alice));
    done(Act::ExpireKey { id: alice.clone(), after: Some(0) }).unwrap();
    assert_eq!(keys(&inventory)[0].1, "expired");
    assert!(!usable(&alice));
    done(Act::ExpireKey { id: alice.clone(), after: None }).unwrap();
    let second = made(&Act::RotateKey { id: alice.clone(), overlap: 3_600 });
    assert_eq!(
        keys(&inventory),
        [of("alice", "active", "reader"), of("alice", "active", "reader"), of("root", "active", "all")]
    );
    done(Act::DeleteKey { id: alice.clone() }).unwrap();
    assert!(!usable(&alice) && usable(&second));

    let mine = r#"{"Statement":{"Effect":"Allow","Action":"chime:Get*","Resource":"*"}}"#;
    let put = |document: &str| done(Act::PutPolicy { name: "mine".into(), document: document.into() });
    assert_eq!(
        put("{}").unwrap_err(),
        "no policy: `Statement` is missing or not of the form that a policy has"
    );
    put(mine).unwrap();
    done(Act::GrantKey { id: second.clone(), roles: vec!["mine".into(), "numbers".into()] }).unwrap();
    assert_eq!(keys(&inventory)[0], of("alice", "active", "mine,numbers"));
    let grant = ::api::Host::key(&host, &second).unwrap().grant;
    assert_eq!(
        grant,
        ::api::Grant::Policies(vec![mine.into(), ::api::access::role("numbers").unwrap().into()])
    );
    let refused = done(Act::GrantKey { id: root.clone(), roles: vec!["mine".into()] }).unwrap_err();
    assert!(refused.contains("root key"), "{refused}");
    assert!(done(Act::DeletePolicy { name: "mine".into() }).unwrap_err().contains(&second));
    done(Act::GrantKey { id: second.clone(), roles: Vec::new() }).unwrap();
    done(Act::DeletePolicy { name: "mine".into() }).unwrap();
    let shown = act(&inventory, &Act::ShowPolicy { name: "trunks".into() }).unwrap();
    let trunks = ::api::access::role("trunks").unwrap().to_owned();
    assert_eq!(shown, [Told::Policy(PolicyLine { name: "trunks".into(), document: trunks, keys: 0 })]);
    let listed = act(&inventory, &Act::ListPolicies).unwrap();
    let names = listed.iter().map(|told| match told {
        Told::Policy(policy) => policy.name.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(names.collect::<Vec<_>>(), ["numbers", "reader"]);
    assert!(act(&inventory, &Act::ShowPolicy { name: "none".into() }).is_err());

    let secrets: Vec<String> = [&root, &second]
        .map(|id| inventory.access_key_secret(id).unwrap().1.expose_secret().to_owned())
        .to_vec();
    records.writer.close();
    let (kept, mut told) = (directory.path().join("records"), Vec::new());
    let shelves: [Box<dyn crate::record::read::Shelf>; 1] = [Box::new(crate::record::read::Folder(kept))];
    crate::record::read::read_audit(&shelves, &Default::default(), &mut |record| {
        let text = record.to_string();
        assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())), "{text}");
        let failed = if record["errorCode"].is_null() { "" } else { " failed" };
        told.push(format!("{}{failed}", record["eventName"].as_str().unwrap()));
        true
    })
    .unwrap();
    told.sort();
    let [create, update, delete, put] =
        ["CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "PutPolicy"];
    let mut expected =
        vec![create, create, create, update, update, update, update, update, update, delete, put];
    expected.extend(["UpdateAccessKey failed", "PutPolicy failed", "DeletePolicy", "DeletePolicy failed"]);
    expected.sort_unstable();
    assert_eq!(told, expected);
}
