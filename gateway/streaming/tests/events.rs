//! Events delivered to moto, a fake of AWS that other people wrote, and against answers that it does not give.
#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // A test from its first line to its last.

mod support;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use streaming::aws::{Aws, Keys};
use streaming::event::{Bus, Delivered, Event, Place, Problem, Queue, SOURCE, Sender, Status, Stream, Topic};
use support::scripted::{Answer, Scripted};
use support::{call, client, signature};
use time::macros::datetime;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

fn aws() -> Aws {
    let (id, secret) = (signature::KEY.to_owned(), signature::SECRET.into());
    Aws::new(client(), "eu-central-1", &Keys::These { id, secret, token: None }).unwrap()
}

fn events(count: u32) -> Vec<Event> {
    let place =
        Place { source: SOURCE.into(), account: "123456789012".into(), region: "eu-central-1".into() };
    let at = datetime!(2026-11-28 15:16:17.018 UTC);
    (0..count)
        .map(|number| {
            let mut stream =
                Stream::new(&call(), Some(number % 2 == 0), "arn:aws:kinesisvideo:x", Some("42"), at);
            let invite = [("From", "\"Ä & <é>\" <sip:a@x>;tag=1+2%3D")];
            stream.invite_headers = Some(invite.into_iter().collect());
            Event::new(&place, &call(), Status::Started(stream), number, at)
        })
        .collect()
}

/// moto's server; `None`, with the reason told, where it cannot be had and this is not CI.
async fn moto() -> Option<(Child, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../clients-1/moto");
    let program = folder.join("bin/moto_server");
    if !program.exists() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no moto (.ci/setup test)");
        eprintln!("skipped: no moto here ({})", root.join(".ci/setup").display());
        return None;
    }
    let mut child = Command::new(folder.join("bin/python"))
        .args(["-u", program.to_str().unwrap(), "-H", "127.0.0.1", "-p", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, address)) = line.split_once("Running on ") {
                return address.trim().to_owned();
            }
        }
        panic!("moto ended");
    };
    let address = timeout(Duration::from_secs(60), address).await.unwrap();
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some((child, address))
}

/// What boto3 says to moto, which is a client that other people wrote.
async fn boto3(url: &str, script: &str) -> Value {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../clients-1/moto/bin/python");
    let script = format!(
        "import boto3, json\ndef client(name):\n    return boto3.client(name, endpoint_url='{url}', region_name='eu-central-1', \
         aws_access_key_id='a', aws_secret_access_key='b')\n{script}"
    );
    let output = Command::new(python).arg("-c").arg(script).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn moto_takes_the_events_for_a_bus_a_topic_and_queues() {
    let Some((_moto, url)) = moto().await else { return };
    let made = boto3(
        &url,
        r"
sqs, sns, bus = client('sqs'), client('sns'), client('events')
queues = {}
for name in ['ChimeVoiceConnector-Streaming', 'ChimeVoiceConnector-Streaming-t', 'ChimeVoiceConnector-Streaming-b', 'ChimeVoiceConnector-Streaming.fifo']:
    fifo = {'FifoQueue': 'true'} if name.endswith('.fifo') else {}
    made = sqs.create_queue(QueueName=name, Attributes=fifo)['QueueUrl']
    arn = sqs.get_queue_attributes(QueueUrl=made, AttributeNames=['QueueArn'])['Attributes']['QueueArn']
    queues[name.rsplit('Streaming')[-1]] = (made, arn)
topic = sns.create_topic(Name='ChimeVoiceConnector-Streaming')['TopicArn']
sns.subscribe(TopicArn=topic, Protocol='sqs', Endpoint=queues['-t'][1], Attributes={'RawMessageDelivery': 'true'})
bus.put_rule(Name='all', EventPattern=json.dumps({'source': ['aws.chime'], 'detail-type': ['Chime VoiceConnector Streaming Status'], 'detail': {'streamingStatus': ['STARTED']}}))
bus.put_targets(Rule='all', Targets=[{'Id': '1', 'Arn': queues['-b'][1]}])
print(json.dumps({'queues': queues, 'topic': topic}))
",
    )
    .await;
    let events = events(23);
    let queue = |name: &str| made["queues"][name][0].as_str().unwrap().to_owned();
    let all = Delivered { taken: 23, problem: None };
    assert_eq!(Queue::new(aws(), Some(&url), &queue("")).deliver(&events).await, all);
    assert_eq!(Queue::new(aws(), Some(&url), &queue(".fifo")).deliver(&events).await, all);
    assert_eq!(Queue::new(aws(), Some(&url), &queue(".fifo")).deliver(&events).await, all, "a repeat");
    assert_eq!(Topic::new(aws(), Some(&url), made["topic"].as_str().unwrap()).deliver(&events).await, all);
    assert_eq!(Bus::new(aws(), Some(&url), "default").deliver(&events).await, all);
    let got = boto3(
        &url,
        &format!(
            r"
sqs, got = client('sqs'), {{}}
for name, (url, _) in json.loads('''{}''').items():
    got[name] = []
    while True:
        some = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get('Messages', [])
        if not some: break
        for one in some:
            got[name].append(json.loads(one['Body']))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one['ReceiptHandle'])
print(json.dumps(got))
",
            made["queues"]
        ),
    )
    .await;
    let expected: Vec<Value> = events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    for name in ["", "-t", ".fifo"] {
        assert_eq!(got[name].as_array().unwrap().len(), 23, "{name}");
        for event in &expected {
            assert!(got[name].as_array().unwrap().contains(event), "{name}");
        }
    }
    assert_eq!(got[".fifo"], json!(expected), "in order, and once");
    // The bus makes its own envelope: id and account are its own.
    let told = got["-b"].as_array().unwrap();
    assert_eq!(told.len(), 23);
    for event in &expected {
        assert!(told.iter().any(|told| told["detail"] == event["detail"] && told["time"] == event["time"]));
    }
}

#[tokio::test]
async fn what_is_not_taken_is_told_and_what_went_before_it_is_counted() {
    let events = events(12);
    let fail = |status: u16, body: Value| Answer::Body(status, body.to_string());
    let entries = |count: usize, bad: Option<(usize, &str)>| {
        let entry = |index| match bad {
            Some((at, code)) if at == index => json!({ "ErrorCode": code, "ErrorMessage": "m" }),
            _ => json!({ "EventId": "1" }),
        };
        json!({ "FailedEntryCount": 0, "Entries": (0..count).map(entry).collect::<Vec<_>>() })
    };
    let later = |why: &str| Some(Problem::Later(why.to_owned()));
    for (answers, taken, problem) in [
        (vec![fail(200, entries(10, None)), fail(200, entries(2, None))], 12, None),
        (
            vec![fail(200, entries(10, None)), fail(200, entries(2, Some((1, "Throttling"))))],
            11,
            later("Throttling m"),
        ),
        (vec![fail(200, entries(10, Some((3, "InternalFailure"))))], 3, later("InternalFailure m")),
        (
            vec![fail(200, entries(10, Some((3, "NotAuthorizedForSource"))))],
            3,
            Some(Problem::Never("NotAuthorizedForSource m".to_owned())),
        ),
        (vec![fail(500, json!({}))], 0, later("500 : {}")),
        (
            vec![fail(400, json!({ "__type": "ThrottlingException", "message": "slow" }))],
            0,
            later("400 ThrottlingException: slow"),
        ),
        (vec![fail(200, json!([1]))], 0, None),
    ] {
        let server = Scripted::start(answers.clone()).await;
        let found = Bus::new(aws(), Some(&server.url), "default").deliver(&events).await;
        assert_eq!(found.taken, taken, "{answers:?}");
        match problem {
            Some(problem) => assert_eq!(found.problem, Some(problem)),
            None if taken == 12 => assert_eq!(found.problem, None),
            None => assert!(matches!(found.problem, Some(Problem::Later(_)))),
        }
        for (head, body) in server.requests() {
            signature::check(&head, "events", "eu-central-1", Some(&body));
        }
    }
    let refused = json!({ "__type": "com.amazonaws.sqs#InvalidMessageContents", "message": "no" });
    let fine = json!({ "Successful": [{ "Id": "0" }] });
    let server = Scripted::start(vec![
        fail(400, refused.clone()),
        fail(200, fine.clone()),
        fail(200, fine),
        fail(400, refused),
    ])
    .await;
    let found = Queue::new(aws(), Some(&server.url), "http://q/1").deliver(&events).await;
    let why = Problem::Never("InvalidMessageContents: no".to_owned());
    assert_eq!(found, Delivered { taken: 2, problem: Some(why) }, "the one that spoils the batch is found");
    let failed = "<PublishBatchResult><Failed><member><Id>4</Id><Code>X</Code><SenderFault>false</SenderFault></member>\
                  <member><Id>2</Id><Code>InternalError</Code></member></Failed></PublishBatchResult>";
    let server = Scripted::start(vec![Answer::Body(200, failed.to_owned())]).await;
    let found = Topic::new(aws(), Some(&server.url), "arn:t").deliver(&events).await;
    assert_eq!((found.taken, matches!(found.problem, Some(Problem::Later(_)))), (2, true));
    let server = Scripted::start(vec![Answer::Close]).await;
    let found = Topic::new(aws(), Some(&server.url), "arn:t").deliver(&events).await;
    assert_eq!((found.taken, matches!(found.problem, Some(Problem::Later(_)))), (0, true));
    let server = Scripted::start(vec![Answer::Endless]).await;
    let found = Topic::new(aws(), Some(&server.url), "arn:t").deliver(&events).await;
    assert_eq!((found.taken, matches!(found.problem, Some(Problem::Later(_)))), (0, true));
}
