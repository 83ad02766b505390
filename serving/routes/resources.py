"""Resources: the catalogue that needs are matched to, changed while it serves."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from evaluation.keys import HeldKey
from matching.catalogue import ResourceShape
from serving.access import Admin, Classifier
from serving.conditional import conditional
from serving.paging import Cursor, Limit, from_cursor, to_cursor
from serving.problems import ProblemError, not_found
from serving.service import Service, Serving
from serving.shapes import BulkAnswer, CatalogueAnswer, ResourceList, ResourcesBody
from serving.swap import resource_body

router = APIRouter(prefix="/v1/resources", tags=["resources"])

ResourceId = Annotated[str, Path(min_length=1, max_length=100)]


@router.get("", summary="资源目录 · the catalogue", response_model=ResourceList)
async def list_resources(
    request: Request, service: Serving, _caller: Classifier, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """按编号排列，分页；带 If-None-Match 时未变则 304。"""
    matcher = service.swap.engine.matcher
    held, version = matcher.resources, matcher.version
    place = from_cursor(cursor, str)
    ids = sorted(held)
    start = 0 if place is None else bisect_right(ids, place[0])
    page = ids[start : start + limit]
    after = to_cursor(page[-1]) if page and start + limit < len(ids) else None
    shapes = [ResourceShape.model_validate(resource_body(held[one])) for one in page if one in held]
    return conditional(request, ResourceList(version=version, resources=shapes, next=after))


@router.post("", status_code=201, summary="新增资源 · add a resource")
async def add_resource(
    body: ResourceShape, service: Serving, caller: Admin, response: Response
) -> CatalogueAnswer:
    """编号已存在则 409。"""
    if body.id in service.swap.engine.matcher.resources:
        raise ProblemError(
            409, "resource-exists", "Resource exists",
            "编号已存在，请用 PUT 修改 · the id is taken; change it with PUT",
        )  # fmt: skip
    version = await _change(service, [body], [], caller)
    response.headers["Location"] = f"/v1/resources/{body.id}"
    return CatalogueAnswer(version=version)


@router.post("/bulk", summary="批量增改删 · put and remove many in one step")
async def change_resources(body: ResourcesBody, service: Serving, caller: Admin) -> BulkAnswer:
    """一步完成，要么全部生效，要么全不生效。"""
    held = service.swap.engine.matcher.resources
    removed = [one for one in body.remove if one in held]
    version = await _change(service, body.put, removed, caller)
    return BulkAnswer(version=version, put=len(body.put), removed=len(removed))


@router.get("/{resource_id}", summary="一项资源 · one resource", response_model=ResourceShape)
async def get_resource(
    resource_id: ResourceId, request: Request, service: Serving, _caller: Classifier
) -> Response:
    """一项资源的全部字段。"""
    resource = service.swap.engine.matcher.resources.get(resource_id)
    if resource is None:
        raise not_found("资源", "请查目录 · no such resource; see GET /v1/resources")
    return conditional(request, ResourceShape.model_validate(resource_body(resource)))


@router.put("/{resource_id}", summary="增改一项资源 · put one resource")
async def put_resource(
    resource_id: ResourceId, body: ResourceShape, service: Serving, caller: Admin
) -> CatalogueAnswer:
    """地址与正文的编号须一致。"""
    if body.id != resource_id:
        raise ProblemError(
            422,
            "id-mismatch",
            "Id mismatch",
            "body.id: 与地址中的编号不一致 · differs from the id in the address; give the same",
        )
    return CatalogueAnswer(version=await _change(service, [body], [], caller))


@router.delete("/{resource_id}", summary="删除一项资源 · remove one resource")
async def remove_resource(resource_id: ResourceId, service: Serving, caller: Admin) -> CatalogueAnswer:
    """删除后即不再匹配；已有记录不变。"""
    if resource_id not in service.swap.engine.matcher.resources:
        raise not_found("资源", "请查目录 · no such resource; see GET /v1/resources")
    return CatalogueAnswer(version=await _change(service, [], [resource_id], caller))


async def _change(service: Service, put: list[ResourceShape], removed: list[str], caller: HeldKey) -> str:
    reason = f"API: {len(put)} put, {len(removed)} removed"
    try:
        resources = [shape.to_resource() for shape in put]
        return await asyncio.to_thread(service.swap.put, resources, removed, caller.owner, reason)
    except ValueError as error:
        raise ProblemError(422, "resource-refused", "Resource refused", str(error)) from None
