// On Start: waits for a first message; when none comes, it shows a sentence with what to do.

context.set('tables', TABLES);
context.set('is_missing', undefined);
const { seconds, missing } = context.get('tables');
context.set('cancel', later(() => {
    const text = missing.replace(/\$\{(\w+)\}/g, (_, name) => env.get(name));
    context.set('is_missing', true);
    node.status({ fill: 'red', shape: 'ring', text });
    node.error(text);
}, seconds * 1000));

/* later.js */
