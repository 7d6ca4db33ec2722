/* Events: of all there are, the new buffer of a stream. */
#include "producer.h"

#include <string.h>

void event_close(struct camera *camera)
{
    camera->event.open = false;
    camera->kills++;
    pthread_cond_broadcast(&camera->arrived);
    while (camera->waiters)
        pthread_cond_wait(&camera->arrived, &producer_mutex);
}

GC_API GCRegisterEvent(void *source, int32_t event, void **handle)
{
    LOCKED;
    struct module *module = module_at(source, MODULE_KINDS);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (module->kind != STREAM || event != EVENT_NEW_BUFFER)
        return fail(GC_ERR_NOT_IMPLEMENTED, "event %d of this module", event);
    if (handle == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room for the handle");
    if (module->camera->event.open)
        return fail(GC_ERR_RESOURCE_IN_USE, "the event is registered");
    module->camera->event.open = true;
    module->camera->num_fired = 0;
    *handle = &module->camera->event;
    return GC_ERR_SUCCESS;
}

GC_API GCUnregisterEvent(void *source, int32_t event)
{
    LOCKED;
    struct module *module = module_at(source, MODULE_KINDS);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (module->kind != STREAM || event != EVENT_NEW_BUFFER || !module->camera->event.open)
        return fail(GC_ERR_NOT_AVAILABLE, "event %d is not registered", event);
    event_close(module->camera);
    return GC_ERR_SUCCESS;
}

/* 0 polls, all ones waits for ever. */
static int32_t wait_for_buffer(struct camera *camera, uint64_t timeout_ms)
{
    uint64_t kills = camera->kills, now = now_ns(), until = UINT64_MAX;

    if (timeout_ms < (UINT64_MAX - now) / 1000000u)
        until = now + timeout_ms * 1000000u;
    camera->waiters++;
    while (camera->output.count == 0 && camera->kills == kills && (now = now_ns()) < until) {
        uint64_t next = until - now < 1000000000u ? until : now + 1000000000u;
        struct timespec t = {.tv_sec = (time_t)(next / 1000000000u),
                             .tv_nsec = (long)(next % 1000000000u)};
        pthread_cond_timedwait(&camera->arrived, &producer_mutex, &t);
    }
    camera->waiters--;
    if (camera->kills != kills) {
        pthread_cond_broadcast(&camera->arrived);
        return fail(GC_ERR_ABORT, "the wait was ended by EventKill or by closing");
    }
    if (camera->output.count == 0)
        return fail(GC_ERR_TIMEOUT, "no buffer within %llu ms", (unsigned long long)timeout_ms);
    return GC_ERR_SUCCESS;
}

GC_API EventGetData(void *event, void *out, size_t *size, uint64_t timeout_ms)
{
    LOCKED;
    struct module *module = module_at(event, EVENT);
    struct event_new_buffer data;
    struct camera *camera;
    struct buffer *buffer;
    int32_t code;

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (out == NULL || size == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room given");
    if (*size < sizeof data)
        return fail(GC_ERR_BUFFER_TOO_SMALL, "%zu bytes given, %zu needed", *size, sizeof data);
    camera = module->camera;
    code = wait_for_buffer(camera, timeout_ms);
    if (code != GC_ERR_SUCCESS)
        return code;
    buffer = queue_pop(&camera->output);
    camera->num_delivered++;
    camera->num_fired++;
    if (buffer->new_data) /* only now has the consumer got the frame */
        log_fate(&camera->scene, buffer->trigger, buffer->fate);
    data = (struct event_new_buffer){buffer, buffer->user};
    memcpy(out, &data, sizeof data);
    *size = sizeof data;
    return GC_ERR_SUCCESS;
}

GC_API EventGetDataInfo(void *event, const void *in, size_t in_size, int32_t command, int32_t *type,
                        void *out, size_t *size)
{
    LOCKED;
    struct event_new_buffer data;

    if (module_at(event, EVENT) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (in == NULL || in_size < sizeof data)
        return fail(GC_ERR_INVALID_PARAMETER, "no event data given");
    memcpy(&data, in, sizeof data);
    switch (command) {
    case EVENT_DATA_ID: return put_value(type, out, size, INFO_DATATYPE_PTR, (uintptr_t)data.buffer);
    case EVENT_DATA_VALUE: return put_value(type, out, size, INFO_DATATYPE_PTR, (uintptr_t)data.user);
    default: return fail(GC_ERR_NOT_IMPLEMENTED, "EVENT_DATA_INFO %d", command);
    }
}

GC_API EventGetInfo(void *event, int32_t command, int32_t *type, void *out, size_t *size)
{
    LOCKED;
    struct module *module = module_at(event, EVENT);
    size_t most = sizeof(struct event_new_buffer);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    switch (command) {
    case EVENT_EVENT_TYPE: return put_value(type, out, size, INFO_DATATYPE_INT32, EVENT_NEW_BUFFER);
    case EVENT_NUM_IN_QUEUE:
        return put_value(type, out, size, INFO_DATATYPE_SIZET, module->camera->output.count);
    case EVENT_NUM_FIRED:
        return put_value(type, out, size, INFO_DATATYPE_UINT64, module->camera->num_fired);
    case EVENT_SIZE_MAX:
    case EVENT_INFO_DATA_SIZE_MAX: return put_value(type, out, size, INFO_DATATYPE_SIZET, most);
    default: return fail(GC_ERR_NOT_IMPLEMENTED, "EVENT_INFO %d", command);
    }
}

/* Buffers that wait for delivery go back to the pool of unqueued ones. */
GC_API EventFlush(void *event)
{
    LOCKED;
    struct module *module = module_at(event, EVENT);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    stream_discard(module->camera, false, true);
    return GC_ERR_SUCCESS;
}

GC_API EventKill(void *event)
{
    LOCKED;
    struct module *module = module_at(event, EVENT);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    module->camera->kills++;
    pthread_cond_broadcast(&module->camera->arrived);
    return GC_ERR_SUCCESS;
}
