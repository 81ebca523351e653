//! Who asks.

/// The roles of which one is needed to read (contract section 7).
pub const READING_ROLES: [&str; 2] = ["ADMIN_READ", "ADMIN_AUDIT"];

/// The person or program a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// `oid` of the token, else `sub`.
    pub actor_id: String,
    /// The roles the issuer gave.
    pub roles: Vec<String>,
    /// Whether the token says that the issuer left roles or groups out of it, there being too many.
    pub is_cut: bool,
}

impl Principal {
    /// Somebody on the machine itself, when authentication is disabled.
    #[must_use]
    pub fn local() -> Self {
        Self {
            actor_id: "local".to_owned(),
            roles: READING_ROLES.map(str::to_owned).to_vec(),
            is_cut: false,
        }
    }

    /// Whether one of [`READING_ROLES`] is among the roles.
    #[must_use]
    pub fn may_read(&self) -> bool {
        self.roles
            .iter()
            .any(|role| READING_ROLES.contains(&role.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::Principal;

    #[test]
    fn one_of_the_two_roles_is_enough_and_no_other_is() {
        let with = |roles: &[&str]| Principal {
            actor_id: "a".to_owned(),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            is_cut: false,
        };
        assert!(with(&["ADMIN_READ"]).may_read());
        assert!(with(&["x", "ADMIN_AUDIT"]).may_read());
        for roles in [
            &[] as &[&str],
            &["admin_read"],
            &["ADMIN"],
            &["ADMIN_READ "],
            &["ADMIN_READ,ADMIN_AUDIT"],
        ] {
            assert!(!with(roles).may_read(), "{roles:?}");
        }
    }
}
