//! What is in the journal of a call that rings: enough to end it on both sides after a restart, and no more.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sip::auth::Secret;
use sip::{Message, Name};
use smol_str::SmolStr;

use super::history::History;
use super::io::Action;
use super::leg::End;
use super::media::MediaSession;
use super::profile::{Local, Profile};
use super::requests::Left;
use super::setup::Rings;
use super::{Account, Call, Next, Stage, Times};
use crate::clock::Now;
use crate::ids::{Tokens, token_info};
use crate::media::MediaKey;
use crate::peer::Peer;
use crate::reply::Cause;

/// The form that this program writes; [`super::orphan`] has others. Whoever changes [`Ringing`], or what is in it, takes another
/// number and goes on reading this one.
const FORM: u8 = 3;

/// So many bytes hold what is written of most calls.
const ROOM: usize = 2_048;

#[derive(Serialize, Deserialize)]
struct Ringing<'a> {
    /// Who waits for the final response; none where a REFER asked for the call.
    caller: Option<Asked<'a>>,
    /// Our INVITE, without its body.
    invite: Cow<'a, [u8]>,
    /// The callee, as it was when the INVITE left.
    flow: Cow<'a, Peer>,
    local: Cow<'a, Local>,
    contact_user: Cow<'a, SmolStr>,
}

#[derive(Serialize, Deserialize)]
struct Asked<'a> {
    /// Its INVITE, without its body.
    invite: Cow<'a, [u8]>,
    /// Where the response goes.
    flow: Cow<'a, Peer>,
}

/// A call that rang when an earlier run ended.
pub struct Rang {
    /// The caller's INVITE, and where its final response goes.
    pub caller: Option<(Message, Peer)>,
    invite: Message,
    end: Box<End>,
}

impl Rang {
    /// Where the callee is.
    pub fn flow(&self) -> &Peer {
        &self.end.flow
    }
}

impl Call {
    /// What [`rang`] reads; `None` where no INVITE of ours is out.
    pub fn ringing_state(&self) -> Option<Vec<u8>> {
        let Stage::Setup(setup) = &self.stage else { return None };
        let Rings { caller, invite, end } = setup.rings()?;
        let ringing = Ringing {
            caller: caller.map(|(invite, flow)| Asked {
                invite: Cow::Borrowed(head(invite)),
                flow: Cow::Borrowed(flow),
            }),
            invite: Cow::Borrowed(head(invite)),
            flow: Cow::Borrowed(&end.flow),
            local: Cow::Borrowed(&end.local),
            contact_user: Cow::Borrowed(&end.contact_user),
        };
        postcard::to_extend(&(FORM, ringing), Vec::with_capacity(ROOM)).ok()
    }

    /// A call that rang when an earlier run ended: the callee's INVITE is cancelled, and a 2xx that comes all the same is
    /// released. It is over once that is.
    ///
    /// - `login`: how the callee's challenges are met.
    pub fn cancelled(
        now: Now,
        rang: Rang,
        login: Option<(String, Secret)>,
        cause: &Cause,
        tokens: &mut Tokens,
    ) -> Call {
        let times = Times { started: now.unix, ringing: None, answered: None, ended: None };
        let (history, media) = (History::new(times, SmolStr::default()), MediaSession::new(MediaKey(0)));
        let mut call = Call::over(uuid::Uuid::nil(), Account::default(), history, media);
        let Rang { invite, end, .. } = rang;
        call.step(now, tokens, |_, cx| {
            let (request, peer) = (cx.requests.open(), end.flow.clone());
            cx.requests.leave(Left::resumed(request, &invite, end, login));
            cx.act(Action::Resume { request, invite, peer });
            cx.act(Action::Cancel { request, says: vec![(Name::Reason, cause.reason())], left: false });
            Next::Stay
        });
        call
    }
}

/// The call that [`Call::ringing_state`] told of; `None` where nobody wrote it.
///
/// - `profile`: how the party of a flow speaks.
pub fn rang(state: &[u8], profile: impl Fn(&Peer) -> Arc<Profile>) -> Option<Rang> {
    let Ringing { caller, invite, flow, local, contact_user } = read(state)?;
    // Its connections have gone with that run.
    let alone = |flow: Cow<'_, Peer>| Peer { connection: None, ..flow.into_owned() };
    let message = |head: Cow<'_, [u8]>| Message::parse(Bytes::from(head.into_owned())).ok();
    let caller = match caller {
        Some(Asked { invite, flow }) => Some((message(invite)?, alone(flow))),
        None => None,
    };
    let flow = alone(flow);
    let profile = profile(&flow);
    let mut end = Box::new(End::new(flow, local.into_owned(), profile));
    end.contact_user = contact_user.into_owned();
    Some(Rang { caller, invite: message(invite)?, end })
}

/// The shard that hears the responses to the INVITE of a call that rang: its branch says so.
pub fn shard_of_rang(state: &[u8]) -> Option<u16> {
    let invite = Message::parse(Bytes::from(read(state)?.invite.into_owned())).ok()?;
    let via = invite.via().ok()?;
    token_info(via.branch()?).map(|info| info.shard)
}

fn read(state: &[u8]) -> Option<Ringing<'_>> {
    let state = state.strip_prefix(&[FORM])?;
    postcard::from_bytes(state).ok()
}

/// A message without its body.
fn head(message: &Message) -> &[u8] {
    let head = message.bytes().len().saturating_sub(message.body().len());
    message.bytes().get(..head).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::orphan_legs;
    use crate::peer::{ListenerId, Party, Transport};

    const INVITE: &[u8] = b"INVITE sip:+12065550123@192.0.2.30 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKvc1000003d0123456789abcdef\r\nMax-Forwards: 70\r\n\
        From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:b@192.0.2.30>\r\nCall-ID: 7f3a@192.0.2.1\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:a@192.0.2.1>\r\nContent-Length: 0\r\n\r\n";

    fn ringing() -> Ringing<'static> {
        let peer = |number| Peer::new(Transport::Tls, ListenerId(1), ([192, 0, 2, number], 5061).into());
        let mut flow = peer(30);
        flow.party = Some(Party::Carrier("west".into()));
        Ringing {
            caller: Some(Asked { invite: Cow::Borrowed(INVITE), flow: Cow::Owned(peer(20)) }),
            invite: Cow::Borrowed(INVITE),
            flow: Cow::Owned(flow),
            local: Cow::Owned(Local {
                listener: ListenerId(1),
                transport: Transport::Tls,
                advertise: ([192, 0, 2, 1], 5061).into(),
                name: None,
                media: [192, 0, 2, 1].into(),
                media_advertise: [192, 0, 2, 1].into(),
            }),
            contact_user: Cow::Owned("+12065550100".into()),
        }
    }

    /// Whoever changes it makes a form of it, and goes on reading this one.
    #[test]
    fn the_form_stays_as_it_is() {
        let state = postcard::to_allocvec(&(FORM, ringing())).unwrap();
        let written = include_bytes!("ringing_3");
        assert!(state == written);
        let unknown = |_: &Peer| Arc::new(Profile::unknown());
        let rang = rang(written, unknown).unwrap();
        let (invite, flow) = rang.caller.unwrap();
        assert_eq!((invite.bytes().as_ref(), flow), (INVITE, ringing().caller.unwrap().flow.into_owned()));
        assert_eq!(
            (rang.end.flow, rang.end.local),
            (ringing().flow.into_owned(), ringing().local.into_owned())
        );
        assert_eq!((rang.invite.bytes().as_ref(), rang.end.contact_user.as_str()), (INVITE, "+12065550100"));
        assert_eq!(shard_of_rang(written), Some(3));
        assert!(orphan_legs(written, unknown).is_none(), "the other form is told apart");
        for not_ours in [b"".as_slice(), &[FORM], &[1, 2, 3], include_bytes!("orphan_1")] {
            assert!(super::rang(not_ours, unknown).is_none() && shard_of_rang(not_ours).is_none());
        }
    }
}
