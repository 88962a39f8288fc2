// Keeps the dashboard's page open in a real browser. Argument: JSON with url, chromium, modules.
// Each line on stdin is an order, JSON: {"do": name of `orders`, …}; its answer is a line of JSON.

import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

const { url, chromium: executablePath, modules, scheme, locale } = JSON.parse(process.argv[2]);
const { chromium } = createRequire(`${modules}/`)('playwright-core');
const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--force-color-profile=srgb'],
});
const page = await browser.newPage({ deviceScaleFactor: 0.75, colorScheme: scheme, locale });
const complaints = [];
page.on('pageerror', (error) => complaints.push(error.message));
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));

const orders = {
    open: async ({ width, height, path }) => {
        await page.setViewportSize({ width, height });
        await page.goto(`${url}${path}`);
        await page.locator('.recbms').first().waitFor();
    },

    // Everything that the page says, by the `data-test` of where it stands.
    read: () => page.evaluate(() => {
        const found = {};
        for (const element of document.querySelectorAll('[data-test]')) {
            const bar = element.querySelector('.recbms-bar > div');
            const words = [...element.querySelectorAll('[title]')].map((mark) => mark.title);
            const look = ['near', 'out', 'unknown'].filter((each) => element.classList.contains(`recbms-${each}`));
            found[element.dataset.test] = bar
                ? [element.querySelector('.recbms-voltage').innerText, bar.style.height, ...words, ...look].join(' ')
                : (element.innerText ?? element.textContent).replace(/\s+/g, ' ').trim();
        }
        return found;
    }),

    charts: () => page.evaluate(() => Object.fromEntries(
        [...document.querySelectorAll('[data-chart]')].map((chart) => {
            const all = (selector) => [...chart.querySelectorAll(selector)];
            const paths = all('.recbms-line').map((path) => path.getAttribute('d'));
            return [chart.dataset.chart, {
                title: chart.querySelector('h2').innerText,
                lines: Object.fromEntries(all('[data-line]').map((line, number) => [line.dataset.line, paths[number]])),
                x: all('.recbms-x').map((label) => label.innerText),
                y: all('.recbms-y').map((label) => label.innerText),
            }];
        }),
    )),

    choose: ({ name }) => page.getByRole('button', { name }).click(),

    // As if so much time had passed in which nothing came.
    skip: ({ seconds }) => page.evaluate((ms) => {
        const now = Date.now;
        Date.now = () => now() + ms;
    }, seconds * 1000),

    // How far the page is wider than the screen, and the elements that are.
    overflow: () => page.evaluate(() => [...document.querySelectorAll('.recbms, .recbms *')]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
        .map((element) => element.className || element.tagName)
        .concat(document.documentElement.scrollWidth > innerWidth ? ['page'] : [])),

    // The place of everything that the page says, and where the lowest cell ends.
    places: () => page.evaluate(() => {
        const boxes = [...document.querySelectorAll('[data-test]')].map((element) => [element.dataset.test, element.getBoundingClientRect()]);
        return Object.fromEntries(boxes.map(([name, { left, top }]) => [name, [Math.round(left), Math.round(top)]]));
    }),
    lowestCell: () => page.evaluate(() => Math.max(
        ...[...document.querySelectorAll('.recbms-cell')].map((cell) => cell.getBoundingClientRect().bottom),
    )),

    complaints: () => complaints.splice(0),

    picture: async ({ file }) => {
        await page.waitForTimeout(2000); // bars and gauge move to their place, charts are drawn
        await page.screenshot({ path: file });
    },
};

for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    const answer = await orders[order.do](order);
    console.log(JSON.stringify(answer ?? null));
}
await browser.close();
