/** The shape of a source tree: its folders as a graph. */
import { folderOf, type Import } from "./imports.ts";

export interface Shape {
  readonly folders: number;
  /** Length of the longest chain of imports; folders in one circle count as one. */
  readonly depth: number;
  /** Pairs of folders in which the first imports the second. */
  readonly arrows: number;
  /** The arrows that are part of a circle, as "a -> b". */
  readonly circular: readonly string[];
}

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

function buildGraph(imports: readonly Import[]): Graph {
  const graph = new Map<string, Set<string>>();
  for (const { from, to } of imports) {
    const [above, below] = [folderOf(from), folderOf(to)];
    for (const folder of [above, below]) if (!graph.has(folder)) graph.set(folder, new Set());
    if (above !== below) graph.get(above)?.add(below);
  }
  return graph;
}

function findReachable(graph: Graph, start: string): Set<string> {
  const reached = new Set<string>();
  const waiting = [...(graph.get(start) ?? [])];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    waiting.push(...(graph.get(next) ?? []));
  }
  return reached;
}

/** Computes the shape from every import of the tree. */
export function shapeOf(imports: readonly Import[]): Shape {
  const graph = buildGraph(imports);
  const reach = new Map([...graph.keys()].map((folder) => [folder, findReachable(graph, folder)]));
  const isCircular = (a: string, b: string) => reach.get(b)?.has(a) ?? false;
  const arrows = [...graph].flatMap(([from, targets]) => [...targets].map((to) => ({ from, to })));
  const heights = new Map<string, number>();
  const heightOf = (folder: string): number => {
    const known = heights.get(folder);
    if (known !== undefined) return known;
    const circle = [...graph.keys()].filter(
      (other) => other === folder || (isCircular(folder, other) && isCircular(other, folder)),
    );
    const below = circle
      .flatMap((member) => [...(graph.get(member) ?? [])])
      .filter((target) => !circle.includes(target));
    const height = 1 + Math.max(0, ...below.map(heightOf));
    for (const member of circle) heights.set(member, height);
    return height;
  };
  return {
    folders: graph.size,
    depth: Math.max(0, ...[...graph.keys()].map(heightOf)),
    arrows: arrows.length,
    circular: arrows
      .filter(({ from, to }) => isCircular(from, to))
      .map(({ from, to }) => `${from} -> ${to}`)
      .toSorted(),
  };
}
