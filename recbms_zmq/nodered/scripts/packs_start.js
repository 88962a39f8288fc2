// On Start: forgets what an earlier deploy knew. The context outlives a deploy.

context.set('tables', TABLES);
context.set('packs', {});
context.set('note', '');
context.set('news', true);
context.set('shown', 0);
