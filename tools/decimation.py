"""Reduce a symmetric triangle mesh to fewer of its own vertices, with labels and borders kept."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BORDER_WEIGHT = 4.0  # of the planes that hold borders of the mesh and of labels in place


def decimate(
    vertices: Floats, faces: Ints, labels: Ints, importance: Floats, mirror: Ints, targets: tuple[int, ...]
) -> tuple[list[Ints], Ints]:
    """Collapse edges of the left half by their quadric errors, and mirror the result.

    Source: Garland and Heckbert, Surface simplification using quadric error metrics; here a vertex always moves onto
    a neighbour, so that every level uses vertices of the finer one.

    Args:
        vertices: (V, 3), x to the left.
        faces: (F, 3).
        labels: (F,) equal for the mirror image but for left and right; borders between labels are kept.
        importance: (F,) factors on the errors.
        mirror: (V,) index of the mirror image of each vertex.
        targets: numbers of triangles, falling.

    Returns:
        For each target the faces with their label (F', 4), and for each vertex the index of the coarsest level that
        uses it (V,), or len(targets).
    """
    left = vertices[faces].mean(axis=1)[:, 0] > 0
    mesh = _Half(vertices, faces[left], labels[left], importance[left])
    levels = []
    ranks = np.full(len(vertices), len(targets))
    for level, target in enumerate(targets):
        mesh.collapse_until(target // 2)
        half = np.array([[*face, mesh.labels[index]] for index, face in mesh.faces.items()])
        mirrored = np.concatenate((mirror[half[:, [0, 2, 1]]], half[:, 3:]), axis=1)
        mirrored[:, 3] = [mesh.mirrored_label(label) for label in half[:, 3]]
        levels.append(np.concatenate((half, mirrored)))
        ranks[np.unique(levels[-1][:, :3])] = level
    return levels, ranks


class _Half:
    """A triangle mesh under reduction."""

    def __init__(self, vertices: Floats, faces: Ints, labels: Ints, importance: Floats) -> None:
        self.points = vertices
        self.faces = {index: tuple(face) for index, face in enumerate(faces.tolist())}
        self.labels = labels.tolist()
        self.around: dict[int, set[int]] = {}
        for index, face in self.faces.items():
            for vertex in face:
                self.around.setdefault(vertex, set()).add(index)
        self.quadrics = {vertex: np.zeros((4, 4)) for vertex in self.around}
        for index, face in self.faces.items():
            self._add_plane(face, self._normal(face), importance[index], face)
        for edge, owners in self._edges().items():
            if len(owners) == 1 or len({self.labels[owner] for owner in owners}) > 1:
                a, b = (self.points[vertex] for vertex in edge)
                for owner in owners:
                    wall = np.cross(b - a, self._normal(self.faces[owner]))
                    self._add_plane(edge, wall, BORDER_WEIGHT * importance[owner], self.faces[owner])
        self._heap: list[tuple[float, int, int, int]] = []
        self._stamp = dict.fromkeys(self.around, 0)
        for edge in self._edges():
            self._push(*edge)
            self._push(*edge[::-1])

    def mirrored_label(self, label: int) -> int:
        """Return the label of the mirror image: parts 2 and 3, 4 and 5, 7 and 8, 9 and 10 are left and right."""
        part, rest = divmod(label, 5)
        return {2: 3, 4: 5, 7: 8, 9: 10}.get(part, part) * 5 + rest

    def _normal(self, face: tuple[int, ...]) -> Floats:
        a, b, c = (self.points[vertex] for vertex in face)
        return np.cross(b - a, c - a)

    def _edges(self) -> dict[tuple[int, int], list[int]]:
        edges: dict[tuple[int, int], list[int]] = {}
        for index, (a, b, c) in self.faces.items():
            for edge in ((a, b), (b, c), (c, a)):
                edges.setdefault((min(edge), max(edge)), []).append(index)
        return edges

    def _add_plane(self, members: tuple[int, ...], normal: Floats, weight: float, face: tuple[int, ...]) -> None:
        length = float(np.linalg.norm(normal))
        if length < 1e-12:
            return
        unit = normal / length
        plane = np.append(unit, -unit @ self.points[members[0]])
        area = float(np.linalg.norm(self._normal(face)))
        for vertex in members:
            self.quadrics[vertex] += weight * area * np.outer(plane, plane)

    def _push(self, source: int, target: int) -> None:
        point = np.append(self.points[target], 1.0)
        total = self.quadrics[source] + self.quadrics[target]
        length = float(np.sum((self.points[source] - self.points[target]) ** 2))
        cost = float(point @ total @ point) + 1e-9 * length
        heapq.heappush(self._heap, (cost, source, target, self._stamp[source] + self._stamp[target] * 1_000_003))

    def _is_allowed(self, source: int, target: int) -> bool:
        shared = self.around[source] & self.around[target]
        ring = {vertex for face in self.around[source] for vertex in self.faces[face]}
        target_ring = {vertex for face in self.around[target] for vertex in self.faces[face]}
        if not shared or len(ring & target_ring) != len(shared) + 2:
            return False
        labels = {self.labels[face] for face in self.around[source]}
        is_border = len(self.around[source]) < len(ring) - 1
        is_label_border = len({self.labels[face] for face in shared}) > 1
        if is_border and (len(shared) != 1 or len(labels) > 1):
            return False
        if (len(labels) > 1 and not is_label_border) or not labels <= {
            self.labels[face] for face in self.around[target]
        }:
            return False
        for face in self.around[source] - shared:
            corners = self.faces[face]
            moved = tuple(target if vertex == source else vertex for vertex in corners)
            old, new = self._normal(corners), self._normal(moved)
            if old @ new < 0.3 * np.linalg.norm(old) * np.linalg.norm(new) or new @ new < 1e-16:
                return False
        return True

    def collapse_until(self, target_count: int) -> None:
        """Collapse the cheapest edges until `target_count` faces remain."""
        while len(self.faces) > target_count and self._heap:
            _, source, target, stamp = heapq.heappop(self._heap)
            if source not in self.around or target not in self.around:
                continue
            if stamp != self._stamp[source] + self._stamp[target] * 1_000_003:
                continue
            if not self._is_allowed(source, target):
                continue
            for face in self.around.pop(source):
                corners = self.faces[face]
                if target in corners:
                    del self.faces[face]
                    for vertex in corners:
                        if vertex != source:
                            self.around[vertex].discard(face)
                else:
                    self.faces[face] = tuple(target if vertex == source else vertex for vertex in corners)
                    self.around[target].add(face)
            self.quadrics[target] += self.quadrics.pop(source)
            self._stamp[target] += 1
            neighbours = {vertex for face in self.around[target] for vertex in self.faces[face]} - {target}
            for vertex in neighbours:
                self._push(vertex, target)
                self._push(target, vertex)
