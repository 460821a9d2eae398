//! `trace`: what crosses in the calls that somebody looks at.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::client::Client;
use super::{Control, Response};
use crate::clock::Now;
use crate::question::{Answer, Question};
use crate::trace::Looked;
use crate::why::Wanted;

/// The longest that somebody looks.
const LONGEST: u32 = 3_600;
/// How often it is told how it goes, which also finds out whether anybody is still there.
const EACH: Duration = Duration::from_secs(1);
/// A frame waits for others to leave with for so long.
const GATHERED: Duration = Duration::from_millis(100);

/// Shows a client what crosses.
pub(super) async fn tell(
    control: &Control,
    wanted: Wanted,
    seconds: u32,
    clear: bool,
    client: &mut Client,
) -> io::Result<()> {
    let until = Instant::now() + Duration::from_secs(u64::from(seconds.min(LONGEST)));
    let Some(mut looked) = control.reload.shared.tracer.begin(Now::read(), wanted, clear) else {
        return client.say(&Response::Error("somebody looks at calls already".to_owned())).await;
    };
    if let Err(silence) = look_at_all(control).await {
        return client.say(&Response::Error(silence)).await;
    }
    // From here on nothing is missed.
    client.say(&Response::Traced { frames: 0, left_out: 0 }).await?;
    client.flush().await?;
    while Instant::now() < until {
        let frames = show(&mut looked, until.min(Instant::now() + EACH), client).await?;
        client.say(&Response::Traced { frames, left_out: looked.left_out() }).await?;
        client.flush().await?;
    }
    client.say(&Response::Done(true)).await
}

/// Says what crosses until a time; returns how much that was.
async fn show(looked: &mut Looked, until: Instant, client: &mut Client) -> io::Result<u64> {
    let mut frames = 0;
    while Instant::now() < until {
        match looked.next(GATHERED).await {
            Some(frame) => {
                frames += 1;
                client.say(&Response::Frame(Box::new(frame))).await?;
            }
            None => client.flush().await?,
        }
    }
    Ok(frames)
}

/// Calls that are up already are looked at, too.
async fn look_at_all(control: &Control) -> Result<(), String> {
    for shard in 0..control.asking.shards() {
        let mut after = None;
        loop {
            match control.asking.ask(shard, Question::LookAt { after }).await {
                Ok(Answer::LookedAt(Some(next))) => after = Some(next),
                Ok(_) => break,
                Err(silence) => return Err(silence.to_string()),
            }
        }
    }
    Ok(())
}
