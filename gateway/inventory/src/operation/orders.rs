//! Orders: of numbers of the pool, and of numbers that come from another provider.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use config::{CountryCode, E164};

use crate::inventory::{Working, list};
use crate::object::{
    CallingNameStatus, NumberStatus, NumberType, Object, Order, OrderStatus, OrderType, OrderedNumber,
    OrderedNumberStatus, PhoneNumber, ProductType,
};
use crate::operation::numbers::{checked_name, parsed};
use crate::page::{cursor, key_of};
use crate::pool::{Pool, PoolNumber, TOLL_FREE, area_code};
use crate::transaction::Transaction;
use crate::{Error, Inventory, Page, Paging, When};

/// Which numbers of the pool are looked for: those that have all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// `AreaCode`: of North America, 3 digits. Default: any.
    pub area_code: Option<String>,
    /// `City`; letter case is ignored. Default: any.
    pub city: Option<String>,
    /// `Country`. Default: any.
    pub country: Option<String>,
    /// `State`; letter case is ignored. Default: any.
    pub state: Option<String>,
    /// `TollFreePrefix`: 3 digits. Default: any.
    pub toll_free_prefix: Option<String>,
    /// `PhoneNumberType`. Default: any.
    pub number_type: Option<NumberType>,
}

/// What a new order is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// `ProductType`.
    pub product_type: ProductType,
    /// `E164PhoneNumbers`.
    pub numbers: Vec<String>,
    /// `Name` of each of them. Default: none.
    pub name: Option<String>,
}

impl Inventory {
    /// What may be ordered from now on.
    pub fn set_pool(&self, pool: Pool) {
        self.working().pool = Arc::new(pool);
    }

    /// `SearchAvailablePhoneNumbers`: those of the pool that nobody has, in the order of their digits as texts.
    ///
    /// # Errors
    /// `BadRequest`: the cursor is none of this search.
    pub fn search_available_phone_numbers(
        &self,
        search: &Search,
        paging: Paging<'_>,
    ) -> Result<Page<E164>, Error> {
        let name = format!("search {search:?}");
        let after = paging.after.map(|cursor| key_of(&self.seal, &name, cursor)).transpose()?;
        let start = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let limit = paging.limit.max(1);
        let working = self.working();
        let numbers = working.pool.0.range::<str, _>((start, Bound::Unbounded));
        let free = numbers.filter(|(number, entry)| search.has(number, entry) && working.is_free(number));
        let mut items: Vec<E164> = free.map(|(number, _)| number.clone()).take(limit + 1).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| cursor(&self.seal, &name, last.as_str()));
        Ok(Page { items, next })
    }

    /// `ListSupportedPhoneNumberCountries`: those of the pool with the types of their numbers, and `US`, whose numbers files may
    /// have as well as those of any other country.
    pub fn supported_phone_number_countries(&self) -> BTreeMap<CountryCode, BTreeSet<NumberType>> {
        let mut countries: BTreeMap<CountryCode, BTreeSet<NumberType>> = BTreeMap::new();
        for entry in self.working().pool.0.values() {
            countries.entry(entry.country).or_default().insert(entry.number_type);
        }
        if let Ok(country) = "US".parse() {
            countries.entry(country).or_insert_with(|| NumberType::ALL.iter().copied().collect());
        }
        countries
    }

    /// `CreatePhoneNumberOrder`: numbers of the pool are ours at once; others fail, and the order says which.
    ///
    /// # Errors
    /// `BadRequest`, `ResourceLimitExceeded`.
    pub fn create_phone_number_order(
        &self,
        when: impl Into<When>,
        new: &NewOrder,
    ) -> Result<Arc<Object<Order>>, Error> {
        let numbers = self.ordered(new)?;
        let name = new.name.as_deref().map(checked_name).transpose()?.flatten();
        let pool = Arc::clone(&self.working().pool);
        self.change(when, |transaction| {
            let id = transaction.uuid();
            let mut ordered = Vec::new();
            for number in numbers {
                let entry = pool.0.get(&number).filter(|_| transaction.is_free(&number));
                let status = match entry {
                    Some(entry) => {
                        let country = Some(entry.country.to_string());
                        let number_type = Some(entry.number_type);
                        let (order_id, name) = (Some(id.clone()), name.clone());
                        let number = PhoneNumber {
                            country,
                            number_type,
                            order_id,
                            name,
                            ..fresh(number.clone(), new.product_type, NumberStatus::Unassigned)
                        };
                        transaction.add_number(number)?;
                        OrderedNumberStatus::Acquired
                    }
                    None => OrderedNumberStatus::Failed,
                };
                ordered.push(OrderedNumber { number, status });
            }
            let acquired = ordered.iter().filter(|one| one.status == OrderedNumberStatus::Acquired).count();
            let status = match acquired {
                0 => OrderStatus::Failed,
                all if all == ordered.len() => OrderStatus::Successful,
                _ => OrderStatus::Partial,
            };
            transaction.put(Order {
                id,
                product_type: new.product_type,
                status,
                order_type: OrderType::New,
                numbers: ordered,
                foc_date: None,
            })
        })
    }

    /// Begins an order of numbers that come from another provider; [`Inventory::advance_porting_order`] goes on with it. The API
    /// shows such orders and makes none.
    ///
    /// # Errors
    /// `BadRequest`, `ResourceLimitExceeded`.
    pub fn create_porting_order(
        &self,
        when: impl Into<When>,
        new: &NewOrder,
    ) -> Result<Arc<Object<Order>>, Error> {
        let numbers = self.ordered(new)?;
        let name = new.name.as_deref().map(checked_name).transpose()?.flatten();
        self.change(when, |transaction| {
            let id = transaction.uuid();
            let mut ordered = Vec::new();
            for number in numbers {
                if !transaction.is_free(&number) {
                    return Err(Error::BadRequest(format!("{number} is here already")));
                }
                let (order_id, name) = (Some(id.clone()), name.clone());
                transaction.add_number(PhoneNumber {
                    order_id,
                    name,
                    ..fresh(number.clone(), new.product_type, NumberStatus::PortinInProgress)
                })?;
                ordered.push(OrderedNumber { number, status: OrderedNumberStatus::Processing });
            }
            transaction.put(Order {
                id,
                product_type: new.product_type,
                status: OrderStatus::PendingDocuments,
                order_type: OrderType::Porting,
                numbers: ordered,
                foc_date: None,
            })
        })
    }

    /// Says how far a porting order is. `Successful`: the numbers are ours. `Cancelled` and `Failed`: they are not, and go. Both end
    /// it.
    ///
    /// - `foc_date`: the day that the losing provider has confirmed. Default: as before.
    ///
    /// # Errors
    /// `NotFound`; `BadRequest`: no porting order, or one that has ended.
    pub fn advance_porting_order(
        &self,
        when: impl Into<When>,
        id: &str,
        status: OrderStatus,
        foc_date: Option<&str>,
    ) -> Result<Arc<Object<Order>>, Error> {
        self.change(when, |transaction| {
            let mut order = transaction.own::<Order>(id)?.value.clone();
            let ended = matches!(
                order.status,
                OrderStatus::Successful | OrderStatus::Cancelled | OrderStatus::Failed
            );
            if order.order_type != OrderType::Porting || ended {
                return Err(Error::BadRequest(format!("order {id} is no porting order that goes on")));
            }
            for ordered in &mut order.numbers {
                let known = transaction.state.numbers.get(ordered.number.as_str()).cloned();
                let Some(known) = known.map(|known| known.value.clone()) else { continue };
                let of_number = match status {
                    OrderStatus::Successful => {
                        ordered.status = OrderedNumberStatus::Acquired;
                        NumberStatus::Unassigned
                    }
                    OrderStatus::Cancelled | OrderStatus::Failed => {
                        ordered.status = OrderedNumberStatus::Failed;
                        transaction.remove_number(ordered.number.as_str());
                        continue;
                    }
                    OrderStatus::CancelRequested => NumberStatus::PortinCancelRequested,
                    _ => NumberStatus::PortinInProgress,
                };
                if known.status != of_number {
                    transaction.put_number(PhoneNumber { status: of_number, ..known })?;
                }
            }
            order.foc_date = foc_date.map(str::to_owned).or(order.foc_date);
            order.status = status;
            transaction.put(order)
        })
    }

    /// `GetPhoneNumberOrder`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn phone_number_order(&self, id: &str) -> Result<Arc<Object<Order>>, Error> {
        self.working().find(&BTreeMap::new(), id)
    }

    /// `ListPhoneNumberOrders`, in the order of ids.
    ///
    /// # Errors
    /// `BadRequest`: the cursor is none of this list.
    pub fn phone_number_orders(&self, paging: Paging<'_>) -> Result<Page<Arc<Object<Order>>>, Error> {
        list(&self.seal, "orders", paging, &self.working().state.orders, &BTreeMap::new())
    }

    /// The numbers of an order, each once.
    fn ordered(&self, new: &NewOrder) -> Result<BTreeSet<E164>, Error> {
        let limit = self.limits.batch;
        if new.numbers.is_empty() || new.numbers.len() > limit {
            return Err(Error::BadRequest(format!("an order has 1 to {limit} phone numbers")));
        }
        new.numbers.iter().map(|number| parsed(number)).collect()
    }
}

impl Search {
    fn has(&self, number: &E164, entry: &PoolNumber) -> bool {
        let same = |asked: &Option<String>, has: Option<&str>| {
            asked
                .as_deref()
                .filter(|asked| !asked.is_empty())
                .is_none_or(|asked| has.is_some_and(|has| has.eq_ignore_ascii_case(asked)))
        };
        let code = area_code(number);
        same(&self.area_code, code)
            && same(&self.toll_free_prefix, code.filter(|code| TOLL_FREE.contains(code)))
            && same(&self.city, entry.city.as_deref())
            && same(&self.state, entry.state.as_deref())
            && same(&self.country, Some(entry.country.as_str()))
            && self.number_type.is_none_or(|number_type| number_type == entry.number_type)
    }
}

impl Working {
    /// Whether nobody has it.
    fn is_free(&self, number: &E164) -> bool {
        !self.state.numbers.contains_key(number.as_str())
            && self.files.config.number(number.as_str()).is_none()
    }
}

impl Transaction<'_> {
    fn is_free(&self, number: &E164) -> bool {
        !self.state.numbers.contains_key(number.as_str())
            && self.files.config.number(number.as_str()).is_none()
    }

    fn add_number(&mut self, number: PhoneNumber) -> Result<(), Error> {
        let limit = self.limits.numbers;
        if self.state.numbers.len() >= limit {
            return Err(Error::LimitExceeded { what: "phone numbers", limit });
        }
        self.put_number(number).map(|_| ())
    }
}

fn fresh(number: E164, product_type: ProductType, status: NumberStatus) -> PhoneNumber {
    PhoneNumber {
        number,
        country: None,
        number_type: None,
        product_type,
        status,
        association: None,
        calling_name: None,
        calling_name_status: CallingNameStatus::Unassigned,
        name: None,
        order_id: None,
        deletion: None,
    }
}
