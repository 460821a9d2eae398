//! Random packets never authenticate and leave no trace; what is protected comes back as it was, once.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtp::srtp::{MasterKey, Protect, SrtpError, Suite, Unprotect};

fuzz_target!(|data: &[u8]| {
    let [choice, data @ ..] = data else { return };
    let suite = Suite::ALL[usize::from(*choice) % Suite::ALL.len()];
    let rtcp = choice & 0x80 != 0;
    let master = MasterKey::new(suite, &vec![*choice; suite.inline_len()]).expect("has the length");
    let mut protect = Protect::new(suite, &master).expect("is this suite's");
    let mut unprotect = Unprotect::new(suite, &master).expect("is this suite's");
    let mut open = |buffer: &mut [u8], len| match rtcp {
        false => unprotect.unprotect_rtp(buffer, len),
        true => unprotect.unprotect_rtcp(buffer, len),
    };

    assert!(open(&mut data.to_vec(), data.len()).is_err());

    let mut buffer = data.to_vec();
    buffer.resize(data.len() + 20, 0);
    let protected = match rtcp {
        false => protect.protect_rtp(&mut buffer, data.len()),
        true => protect.protect_rtcp(&mut buffer, data.len()),
    };
    match protected {
        Ok(len) => {
            let packet = buffer.clone();
            let opened = open(&mut buffer, len).expect("is authentic");
            assert!(opened.above_highest);
            assert_eq!(&buffer[..opened.len], data);
            assert_eq!(open(&mut packet.clone(), len), Err(SrtpError::Replayed));
        }
        Err(error) => {
            assert_eq!(error, SrtpError::Malformed(data.len()));
            assert_eq!(unprotect.streams_len(), (0, 0));
        }
    }
});
