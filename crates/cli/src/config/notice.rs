//! What is to be said of an environment variable once there is a log to say it in.

/// One line about one variable; never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The variable.
    pub(crate) variable: String,
    /// What is the matter with it.
    pub(crate) text: String,
    /// Whether something an operator may have meant does not hold.
    pub(crate) is_loud: bool,
}

impl Notice {
    /// Something that was asked for does not hold, or may have been meant.
    pub(crate) fn loud(variable: &str, text: impl Into<String>) -> Self {
        Self {
            variable: variable.to_owned(),
            text: text.into(),
            is_loud: true,
        }
    }

    /// For those who look.
    pub(crate) fn quiet(variable: &str, text: impl Into<String>) -> Self {
        Self {
            is_loud: false,
            ..Self::loud(variable, text)
        }
    }

    /// Writes it to the log.
    pub(crate) fn log(&self) {
        let Self {
            variable,
            text,
            is_loud,
        } = self;
        if *is_loud {
            tracing::warn!(variable, "{text}");
        } else {
            tracing::info!(variable, "{text}");
        }
    }
}
