// On Message: what this node waits for has come. See its On Start.

context.get('cancel')?.();
if (context.get('is_missing') !== false) {
    context.set('is_missing', false);
    node.status({ fill: 'green', shape: 'dot', text: context.get('tables').good });
}
return null;
