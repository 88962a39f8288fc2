// On Start.

context.set('tables', TABLES);
context.set('decimals', new Map());
context.set('queue', []);
context.set('flight', null);
context.set('away', false);
context.set('remove', null);
context.set('asked', false);
