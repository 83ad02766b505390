"""Jobs over HTTP: send a file, ask how far it is, fetch the answers."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse

from evaluation.jobs import (
    CANCELLED,
    DONE,
    change_job,
    find_job,
    list_jobs,
    new_job_id,
    open_job,
    waiting_jobs,
)
from evaluation.keys import ADMIN, HeldKey
from evaluation.service_tables import Job
from serving.access import Classifier
from serving.jobs import JobRunner
from serving.limits import UPLOADS
from serving.paging import Cursor, Limit, from_cursor, to_cursor
from serving.problems import ProblemError, not_found
from serving.questions import IdempotencyKey
from serving.routes.classify import Matched
from serving.service import Service, Serving
from serving.shapes import JobAnswer, JobList

router = APIRouter(prefix=UPLOADS, tags=["jobs"])

MEDIA = {
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "text/csv": ".csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.apache.parquet": ".parquet",
}
_TYPES = {".jsonl": "application/x-ndjson"} | {
    suffix: media for media, suffix in MEDIA.items() if suffix != ".jsonl"
}

Format = Literal["jsonl", "csv", "xlsx", "parquet"]
JobId = Annotated[str, Path(min_length=1, max_length=32)]
_FILE = {
    "requestBody": {
        "required": True,
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA},
    }
}


@router.post("", status_code=202, summary="提交文件 · a file of messages", openapi_extra=_FILE)
async def submit(
    request: Request,
    response: Response,
    service: Serving,
    caller: Classifier,
    key: IdempotencyKey = None,
    match: Matched = True,
    kind: Annotated[
        Format | None, Query(alias="format", description="缺省看 Content-Type · by Content-Type where absent")
    ] = None,
) -> JobAnswer:
    """正文即文件（JSONL、CSV、XLSX、Parquet），排队后台处理；答复完即删除原文件。"""
    suffix = f".{kind}" if kind else _suffix(request)
    ledger, runner = service.books, _runner(request)
    job_id = new_job_id() if key is None else service.pseudonyms.of("job", caller.owner, key)[:32]
    job = await asyncio.to_thread(find_job, ledger, job_id)
    if job is None:
        if len(await asyncio.to_thread(waiting_jobs, ledger)) >= service.settings.max_jobs:
            raise ProblemError(
                429, "too-busy", "Too busy",
                "排队的文件已满，请稍后重试 · too many jobs wait; retry later",
                {"Retry-After": "30"},
            )  # fmt: skip
        await _receive(request, runner, job_id, suffix)
        job = await service.write(lambda: open_job(ledger, job_id, caller.owner, suffix, match=match))
        runner.wake()
    response.headers["Location"] = f"{UPLOADS}/{job_id}"
    return _shape(job)


async def _receive(request: Request, runner: JobRunner, job_id: str, suffix: str) -> None:
    part, empty = runner.files.part(job_id), True
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            async for block in request.stream():
                empty = empty and not block
                await asyncio.to_thread(stream.write, block)
            await asyncio.to_thread(_sync, stream)
        if empty:
            raise ProblemError(
                422, "file-empty", "File empty", "body: 文件为空 · the file is empty; send it as the body"
            )
        part.rename(runner.files.incoming(job_id, suffix))
    except OSError:
        part.unlink(missing_ok=True)
        raise ProblemError(
            503, "storage-unavailable", "Storage unavailable",
            "文件无法保存，磁盘可能已满 · the file cannot be kept, the disk may be full; retry later",
            {"Retry-After": "60"},
        ) from None  # fmt: skip
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _sync(stream: Any) -> None:
    stream.flush()
    os.fsync(stream.fileno())


@router.get("", summary="任务列表 · jobs")
async def jobs(service: Serving, caller: Classifier, cursor: Cursor = None, limit: Limit = 50) -> JobList:
    """自己的任务，新的在前，分页；管理员看到全部。"""
    place = from_cursor(cursor, str, str)
    try:
        after = None if place is None else (datetime.fromisoformat(place[0]), place[1])
    except ValueError:
        after = None
    owner = None if caller.grants(ADMIN) else caller.owner
    found = await asyncio.to_thread(list_jobs, service.books, owner, after, limit)
    last = found[-1] if len(found) == limit else None
    following = to_cursor(last.created_at.isoformat(), last.id) if last else None
    return JobList(jobs=[_shape(job) for job in found], next=following)


@router.get("/{job_id}", summary="任务进度 · how far a job is")
async def job(job_id: JobId, service: Serving, caller: Classifier) -> JobAnswer:
    """排队、处理中、完成、失败或已取消，附行数。"""
    return _shape(await _find(service, caller, job_id))


@router.post("/{job_id}/cancel", summary="取消任务 · cancel a job")
async def cancel(job_id: JobId, request: Request, service: Serving, caller: Classifier) -> JobAnswer:
    """未完成的任务可取消，文件随即删除；已入库的答复保留。"""
    await _find(service, caller, job_id)
    ledger, runner = service.books, _runner(request)
    if not await service.write(lambda: change_job(ledger, job_id, state=CANCELLED)):
        raise ProblemError(
            409, "job-ended", "Job ended", "任务已结束 · the job has ended and cannot be cancelled"
        )
    runner.files.forget_input(job_id)
    runner.wake()
    return _shape(await _find(service, caller, job_id))


@router.get(
    "/{job_id}/result",
    summary="任务结果 · the answers of a job",
    response_class=FileResponse,
    responses={200: {"content": {media: {"schema": {"type": "string"}} for media in _TYPES.values()}}},
)
async def result(
    job_id: JobId,
    request: Request,
    service: Serving,
    caller: Classifier,
    kind: Annotated[Format, Query(alias="format")] = "jsonl",
) -> Response:
    """完成后可取，JSONL、CSV、XLSX 或 Parquet；只含打码后的文本，逾期删除。"""
    found = await _find(service, caller, job_id)
    files = _runner(request).files
    if found.state != DONE:
        raise ProblemError(
            409, "job-not-done", "Job not done", "任务尚未完成 · the job is not done; ask again later"
        )
    if not files.answers(job_id).exists():
        raise ProblemError(
            410,
            "result-expired",
            "Result expired",
            "结果已逾期删除 · the answers have expired; send the file again",
        )
    path = await asyncio.to_thread(files.result, job_id, f".{kind}", match=found.match)
    return FileResponse(path, media_type=_TYPES[f".{kind}"], filename=f"{job_id}.{kind}")


async def _find(service: Service, caller: HeldKey, job_id: str) -> Job:
    found = await asyncio.to_thread(find_job, service.books, job_id)
    if found is None or (found.owner != caller.owner and not caller.grants(ADMIN)):
        raise not_found("任务", "请查任务列表 · no such job; see GET /v1/jobs")
    return found


def _suffix(request: Request) -> str:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in MEDIA:
        raise ProblemError(
            415, "file-kind-unknown", "File kind unknown",
            f"Content-Type: 取其一，或加 ?format= · one of {', '.join(MEDIA)}, or say ?format=jsonl, csv, xlsx or parquet",
        )  # fmt: skip
    return MEDIA[media]


def _runner(request: Request) -> JobRunner:
    runner: JobRunner | None = getattr(request.app.state, "jobs", None)
    if runner is None:
        raise ProblemError(501, "no-jobs", "No jobs", "本服务不处理文件 · this service takes no files")
    return runner


def _shape(job: Job) -> JobAnswer:
    return JobAnswer(
        id=job.id,
        state=job.state,  # type: ignore[arg-type]
        created_at=job.created_at,
        finished_at=job.finished_at,
        n_rows=job.n_rows,
        n_done=job.n_done,
        n_bad=job.n_bad,
        problem=job.problem,
        result=f"{UPLOADS}/{job.id}/result" if job.state == DONE else None,
    )
