"""What the service keeps if the operator gives it a database: standing work, and the subscriptions that it is for.

Imported only if `store.url` is set. The rooms above decide what work is and what its content means; here it is octets,
which are sealed before they are written. A row of work is held by one worker at a time:

- a worker claims rows that have no owner, and each claim raises the row's ``epoch``;
- a worker that has not reported for a while is dead: its rows lose their owner, and its name is never used again;
- before each effect, the worker asks whether it still holds the row by this epoch.
"""
