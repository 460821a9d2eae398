//! User parts that are telephone numbers.

/// Whether `user` is a number that may be said to be one by `;user=phone`. RFC 3261 §19.1.1.
pub fn is_phone(user: &str) -> bool {
    let digits = user.strip_prefix('+').unwrap_or(user);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
