use super::*;
use crate::demo::audio::Tone;
use crate::demo::certificates::Authority;

async fn phones() -> (Phone, Phone, Ladder) {
    let ladder = Ladder::default();
    let authority = Authority::new().unwrap();
    let ip: IpAddr = "127.0.0.1".parse().unwrap();
    let start = |name| Phone::start(Column(name), ip, authority.phone(ip).unwrap(), ladder.clone());
    (start("alice").await.unwrap(), start("bob").await.unwrap(), ladder)
}

fn invite(to: &Phone) -> Invite {
    Invite::new("+12065550100", "+12065550101", &to.address().to_string())
}

async fn talk(a: &Call, b: &Call) {
    let both = || a.line().heard().is_some() && b.line().heard().is_some();
    let (one, other) = tokio::join!(a.line().speak(Tone(440), both), b.line().speak(Tone(1_000), both));
    one.unwrap();
    other.unwrap();
    assert_eq!((a.line().heard(), b.line().heard()), (Some(Tone(1_000)), Some(Tone(440))));
}

#[tokio::test]
async fn two_phones_talk_over_udp_and_over_tcp() {
    for over_tcp in [false, true] {
        let (alice, bob, ladder) = phones().await;
        let mut caller = if over_tcp {
            alice.call_over_tcp(bob.address(), &invite(&bob)).await.unwrap()
        } else {
            alice.call(bob.address(), &invite(&bob)).await.unwrap()
        };
        let mut callee = bob.incoming().await.unwrap();
        assert_eq!(callee.dialled(), "+12065550101");
        assert_eq!(callee.call_id(), caller.call_id());
        assert_eq!(callee.header("user-agent").as_deref(), Some("rsip-demo"));
        callee.ring().await.unwrap();
        caller.provisional(180).await.unwrap();
        callee.accept().await.unwrap();
        caller.answered().await.unwrap();
        callee.acknowledged().await.unwrap();
        talk(&caller, &callee).await;

        callee.reinvite(Direction::SendOnly).await.unwrap();
        assert_eq!(caller.reinvited().await.unwrap(), Direction::SendOnly);
        caller.accept().await.unwrap();
        callee.answered().await.unwrap();
        caller.acknowledged().await.unwrap();

        let (hanging_up, hung_up) = tokio::join!(callee.hang_up(), caller.hung_up());
        hanging_up.unwrap();
        hung_up.unwrap();
        let lines = ladder.draw(&[Column("alice")], &[Column("bob")], |_, line| line.to_owned());
        assert!(lines.iter().all(|line| !line.contains("Again")), "{lines:#?}");
    }
}

#[tokio::test]
async fn two_phones_talk_in_secret() {
    let (alice, bob, _) = phones().await;
    let invite = Invite::new("+12065550100", "+12065550101", "127.0.0.1").encrypted();
    let mut caller = alice.call_over_tls(bob.secure_address(), &invite).await.unwrap();
    let mut callee = bob.incoming().await.unwrap();
    assert!(callee.header("via").unwrap().starts_with("SIP/2.0/TLS 127.0.0.1"));
    callee.accept().await.unwrap();
    caller.answered().await.unwrap();
    callee.acknowledged().await.unwrap();
    talk(&caller, &callee).await;

    // Somebody else's name.
    let invite = Invite { host: "example.com".to_owned(), ..invite };
    let refused = alice.call_over_tls(bob.secure_address(), &invite).await.err().unwrap().to_string();
    assert!(refused.contains("not valid for name"), "{refused}");
}

#[tokio::test]
async fn a_call_is_refused_and_another_given_up() {
    let (alice, bob, _) = phones().await;
    let mut caller = alice.call(bob.address(), &invite(&bob)).await.unwrap();
    let mut callee = bob.incoming().await.unwrap();
    callee.reject(486, "Nobody home", &[("Reason", "Q.850;cause=17")]).await.unwrap();
    let answer = caller.refused().await.unwrap();
    assert_eq!((answer.status, answer.phrase.as_str()), (486, "Nobody home"));
    assert_eq!(answer.reason.as_deref(), Some("Q.850;cause=17"));

    let mut caller = alice.call(bob.address(), &invite(&bob)).await.unwrap();
    let mut callee = bob.incoming().await.unwrap();
    callee.ring().await.unwrap();
    caller.provisional(180).await.unwrap();
    let (given_up, cancelled) = tokio::join!(caller.cancel(), callee.cancelled());
    assert_eq!(given_up.unwrap().status, 487);
    cancelled.unwrap();
    assert!(!bob.has_been_called().await);
    assert!(bob.forget().await.is_empty() && alice.forget().await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_told() {
    let (alice, bob, _) = phones().await;
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(b"INVITE nonsense\r\n\r\n", bob.address()).await.unwrap();
    // Over the same queue, so it comes after.
    let _caller = alice.call(bob.address(), &invite(&bob)).await.unwrap();
    bob.incoming().await.unwrap();
    let faults = bob.forget().await;
    assert!(matches!(faults.as_slice(), [Failure::Unreadable { .. }]), "{faults:?}");
}
