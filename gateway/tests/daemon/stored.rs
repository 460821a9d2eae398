//! What the store beside the files has: it holds for the next call.

use std::path::Path;

use config::Config;
use gateway::daemon::{DaemonOptions, Gateway as Daemon, ReloadError};
use inventory::object::{ProductType, Termination};
use inventory::{Inventory, NewConnector, NewOrder, NumberOwner, Pool, Timestamp};

use super::peers;
use super::support::{Net, Office, Peer, THEIRS, Up, status_line};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// In this process, so that what the API manages is in reach without its protocol.
fn start(directory: &Path, text: &str) -> Daemon {
    let file = directory.join("gateway.toml");
    std::fs::write(&file, text).unwrap();
    let (config, _) = Config::parse(text, &file).unwrap();
    let options = DaemonOptions { shards: 1, media_workers: 1, file: Some(file), ..DaemonOptions::default() };
    Daemon::start(config, &options).unwrap()
}

fn termination(net: Net) -> Termination {
    Termination {
        calling_regions: vec!["US".into()],
        cidr_allowed_list: vec![format!("{}/32", net.ip(4))],
        default_phone_number: Some("+12065550123".into()),
        cps_limit: Some(100),
        disabled: false,
    }
}

/// A trunk of the store for whoever calls from the fourth address.
fn trunk(inventory: &Inventory, net: Net) -> String {
    let new = NewConnector {
        name: "Branch".into(),
        region: None,
        require_encryption: false,
        integration_type: None,
        network_type: None,
        tags: Vec::new(),
    };
    let id = inventory.create_voice_connector(NOW, new).unwrap().value.id.clone();
    inventory.put_termination(NOW, &id, termination(net)).unwrap();
    inventory.set_pool(Pool::parse("number,country\n+12065550123,US\n").unwrap());
    let numbers = vec!["+12065550123".to_owned()];
    let new = NewOrder { product_type: ProductType::VoiceConnector, numbers: numbers.clone(), name: None };
    inventory.create_phone_number_order(NOW, &new).unwrap();
    let errors = inventory.associate_phone_numbers(NOW, NumberOwner::Connector(&id), &numbers, false);
    assert!(errors.unwrap().is_empty());
    id
}

#[test]
fn a_change_of_the_store_holds_for_the_next_call() {
    let net = Net(690);
    let [phone, carrier] = peers(net);
    let branch = Peer::udp(net.at(4, 5070), net.gateway());
    let directory = tempfile::tempdir().unwrap();
    let api = format!("[api]\naddress = \"{}\"\ndirectory = \"api\"", net.at(1, 8443));
    let text = Office { more: &api, ..Office::new(net, "udp") }.config();
    let gateway = start(directory.path(), &text);
    let inventory = gateway.inventory().unwrap().clone();

    assert_eq!(status_line(&branch.ask(branch.invite(THEIRS))).0, 403);
    let id = trunk(&inventory, net);
    let up = Up::begin(&branch, &carrier, branch.invite(THEIRS));
    let of_files = Up::begin(&phone, &carrier, phone.invite(THEIRS));

    let disabled = Termination { disabled: true, ..termination(net) };
    inventory.put_termination(NOW, &id, disabled).unwrap();
    assert_eq!(status_line(&branch.ask(branch.invite(THEIRS))).0, 403);
    // Calls keep what they began with.
    up.end(&branch, &carrier);
    of_files.end(&phone, &carrier);

    // Other files change nothing of the store.
    inventory.put_termination(NOW, &id, termination(net)).unwrap();
    let file = directory.path().join("gateway.toml");
    std::fs::write(&file, text.replace("calling_plan = [\"US\"]", "calling_plan = [\"CA\"]")).unwrap();
    gateway.reload().unwrap();
    assert_eq!(status_line(&phone.ask(phone.invite(THEIRS))).0, 403);
    let again = Up::begin(&branch, &carrier, branch.invite(THEIRS));
    again.end(&branch, &carrier);

    // Nor can they take what the store needs, or has.
    std::fs::write(&file, text.replace("+12065550100", "+12065550123")).unwrap();
    let refused = gateway.reload().unwrap_err();
    assert!(matches!(refused, ReloadError::Clash(_)), "{refused}");
    assert!(
        refused.to_string().starts_with("phone_number +12065550123 is in the files already"),
        "{refused}"
    );
    assert!(gateway.plan(&file).is_err());
    std::fs::write(&file, &text).unwrap();
    gateway.reload().unwrap();
    drop(inventory);
    gateway.stop();

    // And it is there when the gateway starts again.
    let gateway = start(directory.path(), &text);
    let after = Up::begin(&branch, &carrier, branch.invite(THEIRS));
    after.end(&branch, &carrier);
    gateway.stop();
}
