//! URIs and the values around them: what is read and written is read as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::{CSeq, NameAddr, Params, Uri, Via};

fuzz_target!(|text: &str| {
    if let Ok(uri) = Uri::parse(text) {
        assert_eq!(Uri::parse(&uri.to_string()), Ok(uri.clone()));
        let _ = uri.as_sip().map(|uri| uri.user_unescaped());
        // In brackets it stands alone, whatever it holds.
        let address = NameAddr::new(uri);
        assert_eq!(NameAddr::parse(&address.to_string()), Ok(address));
    }
    if let Ok(address) = NameAddr::parse(text) {
        assert_eq!(NameAddr::parse(&address.to_string()), Ok(address));
    }
    if let Ok(via) = Via::parse(text) {
        assert_eq!(Via::parse(&via.to_string()), Ok(via.clone()));
        let _ = (via.received(), via.rport(), via.branch());
    }
    if let Ok(params) = Params::parse(text) {
        assert_eq!(Params::parse(&params.to_string()), Ok(params));
    }
    if let Ok(cseq) = CSeq::parse(text) {
        assert_eq!(CSeq::parse(&cseq.to_string()), Ok(cseq));
    }
});
