//! The query of the two routes that list the messages of a path.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::models::common::SortOrder;
use crate::models::ids::BranchId;
use crate::models::message::Role;
use crate::services::conversations::PathQuery;

/// Which messages of a path are wanted, and in which order.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct MessagesQuery {
    /// Only those of this role.
    #[param(inline)]
    role: Option<Role>,
    /// From the root (`asc`) or from the head (`desc`). Absent: `asc`.
    #[param(inline)]
    order: Option<SortOrder>,
}

impl MessagesQuery {
    /// Of this branch; of the active one if absent.
    pub(super) fn of(self, branch: Option<BranchId>) -> PathQuery {
        PathQuery {
            branch,
            role: self.role,
            order: self.order.unwrap_or(SortOrder::Asc),
        }
    }
}
