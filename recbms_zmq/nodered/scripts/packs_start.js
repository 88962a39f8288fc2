// On Start: forgets what an earlier deploy knew, but for the last alarms. The context outlives a deploy.

context.set('tables', TABLES);
context.set('packs', {});
context.set('events', context.get('events') ?? {});
context.set('note', '');
context.set('news', true);
context.set('shown', 0);
