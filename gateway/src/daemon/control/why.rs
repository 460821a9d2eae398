//! `why`: the calls that came to nothing, of all shards.

use std::io;

use super::client::Client;
use super::{Control, Response};
use crate::daemon::asking::{Asking, Silence};
use crate::question::{Answer, Question};
use crate::why::{Explanation, Wanted};

/// So many are told, of all shards.
const MOST: usize = 20;

/// Those of all shards that are wanted, newest first; and a shard that said nothing.
pub(in crate::daemon) async fn known(
    asking: &Asking,
    wanted: &Wanted,
) -> (Vec<Explanation>, Option<Silence>) {
    let (mut found, mut silence) = (Vec::new(), None);
    for shard in 0..asking.shards() {
        match asking.ask(shard, Question::Why(wanted.clone())).await {
            Ok(Answer::Why(more)) => found.extend(more),
            Ok(_) => {}
            Err(shard) => silence = Some(shard),
        }
    }
    found.sort_by_key(|call| std::cmp::Reverse(call.last));
    (found, silence)
}

/// Tells a client of those that are wanted, newest first.
pub(super) async fn tell(control: &Control, wanted: &Wanted, client: &mut Client) -> io::Result<()> {
    let (found, silence) = known(&control.asking, wanted).await;
    let is_known = !found.is_empty();
    for call in found.into_iter().take(MOST) {
        client.say(&Response::Why(Box::new(call))).await?;
    }
    client
        .say(&match silence {
            Some(silence) => Response::Error(silence.to_string()),
            None if is_known => Response::Done(true),
            None => Response::Error("nothing is known of such a call that came to nothing".to_owned()),
        })
        .await
}
