//! Usage types: what a bill is summed by.

use super::facts::{CallFacts, Party};
use crate::direction::Direction;

/// Billing codes of the AWS regions. Not derivable from the name: they grew over the years.
const REGIONS: &[(&str, &str)] = &[
    ("us-east-1", "USE1"),
    ("us-east-2", "USE2"),
    ("us-west-1", "USW1"),
    ("us-west-2", "USW2"),
    ("us-gov-east-1", "UGE1"),
    ("us-gov-west-1", "UGW1"),
    ("ca-central-1", "CAN1"),
    ("ca-west-1", "CAN2"),
    ("mx-central-1", "MXC1"),
    ("sa-east-1", "SAE1"),
    ("eu-west-1", "EU"),
    ("eu-west-2", "EUW2"),
    ("eu-west-3", "EUW3"),
    ("eu-central-1", "EUC1"),
    ("eu-central-2", "EUC2"),
    ("eu-north-1", "EUN1"),
    ("eu-south-1", "EUS1"),
    ("eu-south-2", "EUS2"),
    ("af-south-1", "AFS1"),
    ("il-central-1", "ILC1"),
    ("me-south-1", "MES1"),
    ("me-central-1", "MEC1"),
    ("ap-east-1", "APE1"),
    ("ap-northeast-1", "APN1"),
    ("ap-northeast-2", "APN2"),
    ("ap-northeast-3", "APN3"),
    ("ap-south-1", "APS3"),
    ("ap-south-2", "APS5"),
    ("ap-southeast-1", "APS1"),
    ("ap-southeast-2", "APS2"),
    ("ap-southeast-3", "APS4"),
    ("ap-southeast-4", "APS6"),
    ("ap-southeast-5", "APS7"),
    ("ap-southeast-7", "APS9"),
];

/// Stands where a number has no country: the code that CLDR gives to an unknown region.
const UNKNOWN_COUNTRY: &str = "ZZ";

/// The billing code of a region: `us-east-1` is `USE1`.
///
/// A region that is not AWS's is written in capitals without punctuation: `rack-7` is `RACK7`.
#[must_use]
pub fn region_code(region: &str) -> String {
    REGIONS.iter().find(|(name, _)| *name == region).map_or_else(
        || region.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect(),
        |(_, code)| (*code).to_owned(),
    )
}

/// What a call is billed as: `USE1-US-GB-outbound-minutes` names the countries of both numbers,
/// `USE1-US-inbound-minutes` that of the customer's number. An unknown country is `ZZ`.
///
/// Source: reference §10.
#[must_use]
pub fn usage_type(facts: &CallFacts) -> String {
    let region = region_code(&facts.region);
    let destination = country(&facts.destination);
    match facts.direction {
        Direction::Inbound => format!("{region}-{destination}-inbound-minutes"),
        Direction::Outbound => {
            format!("{region}-{}-{destination}-outbound-minutes", country(&facts.source))
        }
    }
}

fn country(party: &Party) -> &str {
    party.country.as_deref().unwrap_or(UNKNOWN_COUNTRY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::facts;

    #[test]
    fn region_codes() {
        for (region, code) in [
            ("us-east-1", "USE1"),
            ("eu-west-1", "EU"),
            ("ap-south-1", "APS3"),
            ("rack-7", "RACK7"),
            ("Zürich/1", "ZRICH1"),
            ("", ""),
        ] {
            assert_eq!(region_code(region), code, "{region}");
        }
    }

    #[test]
    fn usage_types() {
        let check = |direction, from: Option<&str>, to: Option<&str>, expect: &str| {
            let mut facts = facts();
            facts.direction = direction;
            facts.source.country = from.map(Into::into);
            facts.destination.country = to.map(Into::into);
            assert_eq!(usage_type(&facts), expect);
        };
        check(Direction::Outbound, Some("US"), Some("US"), "USE1-US-US-outbound-minutes");
        check(Direction::Outbound, Some("US"), Some("GB"), "USE1-US-GB-outbound-minutes");
        check(Direction::Outbound, None, Some("GB"), "USE1-ZZ-GB-outbound-minutes");
        check(Direction::Inbound, Some("DE"), Some("US"), "USE1-US-inbound-minutes");
        check(Direction::Inbound, Some("DE"), None, "USE1-ZZ-inbound-minutes");
    }
}
