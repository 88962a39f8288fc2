/** Where an alarm is, after a space: " (unit 2, cell 3)"; empty if that is not known. */
function place({ number, unit, cell }) {
    const parts = [];
    if (unit) {
        parts.push(`unit ${unit}`);
    }
    if (cell) {
        parts.push(`${alarms[number]?.concerns ?? 'cell'} ${cell}`);
    }
    return parts.length ? ` (${parts.join(', ')})` : '';
}
