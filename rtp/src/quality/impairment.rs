//! What codecs take from a score of speech.

use crate::codec::Codec;

/// What a codec takes from the rating. ITU-T G.113 Appendix I.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EquipmentImpairment {
    /// Equipment impairment without loss.
    pub ie: f64,
    /// Robustness against loss: the larger, the better.
    pub bpl: f64,
}

impl EquipmentImpairment {
    /// G.711 that conceals lost packets (G.711 Appendix I), which every telephone of today does.
    pub const G711: EquipmentImpairment = EquipmentImpairment { ie: 0.0, bpl: 25.1 };
    /// G.711 that plays silence instead.
    pub const G711_WITHOUT_CONCEALMENT: EquipmentImpairment = EquipmentImpairment { ie: 0.0, bpl: 4.3 };
    /// G.729A with voice activity detection.
    pub const G729A: EquipmentImpairment = EquipmentImpairment { ie: 11.0, bpl: 19.0 };
}

impl Codec {
    /// What it takes from the narrowband rating of ITU-T G.107.
    ///
    /// | EquipmentImpairment | Ie | Bpl | in packets of | Source |
    /// | --- | --- | --- | --- | --- |
    /// | G.711 that conceals loss (its Appendix I) | 0 | 25.1 | 10 ms | G.113 Appendix I |
    /// | G.729A with VAD | 11 | 19.0 | 20 ms | G.113 Appendix I |
    /// | G.723.1 at 6.3 kbit/s with VAD | 15 | 16.1 | 30 ms | G.113 Appendix I |
    /// | GSM EFR | 5 | 10.0 | 20 ms | G.113 Appendix I |
    /// | GSM FR | 20 | 10.0 | 20 ms | Ie of G.113 Appendix I; it has no Bpl, which is that of EFR |
    /// | all others | 0 | 25.1 | | none: as G.711 would sound over the same network |
    ///
    /// G.113 has no values for other lengths of a packet: the same are taken.
    pub fn narrowband(self) -> EquipmentImpairment {
        match self {
            Codec::G729 => EquipmentImpairment::G729A,
            Codec::G723 => EquipmentImpairment { ie: 15.0, bpl: 16.1 },
            Codec::GsmEfr => EquipmentImpairment { ie: 5.0, bpl: 10.0 },
            Codec::Gsm => EquipmentImpairment { ie: 20.0, bpl: 10.0 },
            Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Opus | Codec::Other => EquipmentImpairment::G711,
        }
    }

    /// What a wideband codec takes from the rating of ITU-T G.107.1; `None`: it is narrowband, or nothing is known of it.
    ///
    /// | EquipmentImpairment | Ie,wb | Bpl | Source |
    /// | --- | --- | --- | --- |
    /// | G.722 at 64 kbit/s | 13 | 25.1 | Ie,wb of G.113 Appendix IV; Bpl of G.711 that conceals loss |
    /// | Opus | 0 | 25.1 | none: no Recommendation has values; what the network takes, and nothing else |
    pub fn wideband(self) -> Option<EquipmentImpairment> {
        match self {
            Codec::G722 => Some(EquipmentImpairment { ie: 13.0, bpl: EquipmentImpairment::G711.bpl }),
            Codec::Opus => Some(EquipmentImpairment { ie: 0.0, bpl: EquipmentImpairment::G711.bpl }),
            _ => None,
        }
    }
}
