import { random } from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { Curriculum, STEPS_AHEAD } from './curriculum.js';

const TOTAL = 100_000;
const curriculum = (): Curriculum => new Curriculum(new random.RandomRoot(1).stream('lessons'), 16);

describe('Curriculum', () => {
  it('stays while answers are wrong and goes on when they are right', () => {
    const c = curriculum();
    for (let i = 0; i < 500; i++) expect(c.record(i, 2, 0)).toBe(false);
    expect(c.stage).toBe(0);
    let steps = 0;
    while (!c.record(500 + steps, 0.01, 0)) steps++;
    expect(steps).toBeGreaterThan(20);
    expect(c.stage).toBe(1);
  });

  it('gives every stage some steps, however low the loss, and ends at the full context', () => {
    const c = curriculum();
    let steps = 0;
    for (; !c.atLastStage; steps++) c.record(steps, 0, 0);
    expect(steps).toBe(4 * 60 + 3 * (STEPS_AHEAD + 1));
    expect(c.record(steps, 0, 0)).toBe(false);
    const shapes = Array.from({ length: 200 }, (_, i) => c.lesson(steps + STEPS_AHEAD + 1 + i).shape);
    expect(shapes.filter(({ people, facts }) => people * facts >= 4).length).toBeGreaterThan(160);
    expect(shapes.some(({ people }) => people === 1)).toBe(true);
  });

  it('draws the lesson of a step from its number alone', () => {
    const lessons = (order: number[]) => {
      const c = curriculum();
      return new Map(order.map((step) => [step, c.lesson(step)]));
    };
    expect(lessons([3, 1, 2])).toEqual(new Map([...lessons([1, 2, 3])].sort()));
    expect(lessons([3, 1, 2]).get(2)).toEqual(lessons([2]).get(2));
  });

  it('goes on at the deadline of a stage, however wrong the answers are', () => {
    const c = curriculum();
    const starts: number[] = [];
    for (let step = 0; step < TOTAL; step++) {
      if (c.record(step, 2, (step + 1) / TOTAL)) starts.push((step + 1) / TOTAL);
    }
    expect(starts).toEqual([0.06, 0.1, 0.2, 0.35]);
  });

  it('asks for answers mostly, and to repeat and to retell now and then', () => {
    const c = curriculum();
    const tasks = Array.from({ length: 1000 }, (_, i) => c.lesson(i).task);
    const count = (task: string): number => tasks.filter((other) => other === task).length;
    expect(count('answer')).toBeGreaterThan(540);
    expect(count('repeat')).toBeGreaterThan(60);
    expect(count('retell')).toBeGreaterThan(240);
  });
});
