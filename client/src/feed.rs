//! What comes for this device, in the service's one order: kept first, then processed, then acknowledged.

use crate::error::Error;
use crate::step::Listening;
use crate::store::Store;

/// Where to listen.
pub(crate) fn listening(_store: &Store<'_>) -> Result<Option<Listening>, Error> {
    Ok(None)
}
