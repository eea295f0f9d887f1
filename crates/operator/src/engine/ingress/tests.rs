//! What passes the ingress, and what is dropped for which reason.
