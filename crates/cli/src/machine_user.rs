//! The user this process runs as, by the system and not by the environment, which anybody may set.

/// Its name in the list of users, else its number; `None` where the system does not tell processes so.
pub(crate) fn name() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(&status, &users)
}

/// The effective user of a process, from what the kernel says of it and the list of users.
fn name_of(status: &str, users: &str) -> Option<String> {
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let effective = ids.split_whitespace().nth(1)?;
    let known = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == effective).then(|| name.to_owned())
    });
    Some(known.unwrap_or_else(|| format!("uid-{effective}")))
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn the_effective_user_counts_and_one_that_is_not_listed_is_a_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nops:x:1001:1001::/srv/ops:/bin/sh\n";
        let status = |uid: &str| format!("Name:\tnsc\nUid:\t1000\t{uid}\t0\t0\n");
        assert_eq!(name_of(&status("1001"), users).as_deref(), Some("ops"));
        assert_eq!(name_of(&status("0"), users).as_deref(), Some("root"));
        assert_eq!(name_of(&status("4711"), users).as_deref(), Some("uid-4711"));
        assert_eq!(name_of("Name:\tnsc\n", users), None);
    }
}
