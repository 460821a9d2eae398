//! What an operator is told of a leg.

use sip::dialog::{Dialog, DialogState};
use sip::text::phrase;

use super::leg::End;
use super::{Call, Side, Stage};
use crate::media::MediaKey;
use crate::question::LegView;

impl Call {
    /// The media session, while its ports are open.
    pub fn media_key(&self) -> Option<MediaKey> {
        self.media.opened().map(|(key, _, _)| key)
    }

    /// The leg of `side`; none where nobody is there, or is any more.
    pub fn leg_view(&self, side: Side) -> Option<LegView> {
        let (dialog, end): (Option<&Dialog>, &End) = match &self.stage {
            Stage::Setup(setup) => (setup.dialog(side), setup.end(side)?),
            Stage::Accepted(accepted) => accepted.up().legs.of(side).both(),
            Stage::Established(up) => up.legs.of(side).both(),
            Stage::Recording(recording) if side == Side::A => recording.leg().both(),
            Stage::Copying(copying) if side == Side::B => copying.leg()?.both(),
            Stage::Recording(_) | Stage::Copying(_) => return None,
            Stage::Handed(_) | Stage::Ended(_) => return None,
        };
        let state = |dialog: &Dialog| match dialog.state {
            DialogState::Early => "early",
            DialogState::Confirmed => "confirmed",
        };
        let remote = self.media.remote(side);
        Some(LegView {
            party: end.flow.party.as_ref().map(ToString::to_string),
            remote: end.flow.remote,
            transport: end.flow.transport.parameter().to_owned(),
            tls: end.flow.secured.map(|tls| format!("{} {}", tls.version(), tls.cipher_suite())),
            call_id: phrase(dialog.map_or_else(|| self.call_id(side), |dialog| &dialog.call_id)),
            local_tag: dialog.map(|dialog| phrase(&dialog.local_tag)),
            remote_tag: dialog.map(|dialog| phrase(&dialog.remote_tag)),
            dialog: dialog.map(|dialog| state(dialog).to_owned()),
            srtp: end.sdes.keys().map(|keys| keys.suite.name().to_owned()),
            codec: self.media.codec().map(ToString::to_string),
            on_hold: end.on_hold,
            port: self.media.ports(side).map(|ports| ports.rtp),
            media: remote.and_then(|remote| remote.rtp),
        })
    }
}
