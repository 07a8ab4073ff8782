"""What PyTorch does slowly on a CPU, as autograd functions: experts of a sparse layer, norms, picked rows.

Tokens are sorted by expert, so that each expert is one small product each way; what the backward pass needs is kept
sorted. Much faster on a CPU than masks or gathers of weights.
"""
import torch


class Experts(torch.autograd.Function):
    """sum over the chosen experts of weight * down(silu(gate x) * up x).

    x [tokens, d], weights and chosen [tokens, k], gate_up [experts, d, 2 hidden], down [experts, hidden, d]
    """

    @staticmethod
    def forward(ctx, x, weights, chosen, gate_up, down):
        tokens, k = chosen.shape
        experts, hidden, _ = down.shape
        flat = chosen.reshape(-1)
        order = torch.argsort(flat)
        place = torch.empty_like(order)
        place[order] = torch.arange(order.numel())
        ends = torch.bincount(flat, minlength=experts).cumsum(0).tolist()
        token = torch.div(order, k, rounding_mode="floor")

        sorted_x = x.index_select(0, token)
        sorted_w = weights.reshape(-1).index_select(0, order).unsqueeze(1)
        h = x.new_empty(order.numel(), 2 * hidden)
        for e, (a, b) in enumerate(zip([0] + ends, ends)):
            torch.mm(sorted_x[a:b], gate_up[e], out=h[a:b])
        gate, up = h[:, :hidden], h[:, hidden:]
        sigmoid = torch.sigmoid(gate)
        act = gate * sigmoid * up
        weighted = act * sorted_w
        y = x.new_empty(order.numel(), x.shape[1])
        for e, (a, b) in enumerate(zip([0] + ends, ends)):
            torch.mm(weighted[a:b], down[e], out=y[a:b])
        ctx.save_for_backward(gate_up, down, token, place, order, sorted_x, sorted_w, h, sigmoid, act, weighted)
        ctx.ends = ends
        return y.index_select(0, place).view(tokens, k, -1).sum(1)

    @staticmethod
    def backward(ctx, grad):
        gate_up, down, token, place, order, sorted_x, sorted_w, h, sigmoid, act, weighted = ctx.saved_tensors
        hidden = down.shape[1]
        spans = list(enumerate(zip([0] + ctx.ends, ctx.ends)))
        sorted_grad = grad.index_select(0, token)
        d_down, d_gate_up = torch.empty_like(down), torch.empty_like(gate_up)
        d_weighted = torch.empty_like(act)
        for e, (a, b) in spans:
            torch.mm(weighted[a:b].t(), sorted_grad[a:b], out=d_down[e])
            torch.mm(sorted_grad[a:b], down[e].t(), out=d_weighted[a:b])
        d_w = (act * d_weighted).sum(1).index_select(0, place).view(grad.shape[0], -1)
        d_act = d_weighted.mul_(sorted_w)
        gate, up = h[:, :hidden], h[:, hidden:]
        d_h = torch.empty_like(h)
        silu = gate * sigmoid
        torch.mul(d_act, silu, out=d_h[:, hidden:])
        torch.mul(d_act * up, sigmoid + silu * (1 - sigmoid), out=d_h[:, :hidden])
        d_x = torch.empty_like(sorted_x)
        for e, (a, b) in spans:
            torch.mm(sorted_x[a:b].t(), d_h[a:b], out=d_gate_up[e])
            torch.mm(d_h[a:b], gate_up[e].t(), out=d_x[a:b])
        d_x = d_x.index_select(0, place).view(grad.shape[0], -1, grad.shape[1]).sum(1)
        return d_x, d_w, None, d_gate_up, d_down


class Norm(torch.autograd.Function):
    """x / rms(x) * weight over the last axis, with as few passes as it needs."""

    @staticmethod
    def forward(ctx, x, weight):
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)
        normed = x * scale
        ctx.save_for_backward(normed, scale, weight)
        return normed * weight

    @staticmethod
    def backward(ctx, grad):
        normed, scale, weight = ctx.saved_tensors
        d_weight = (grad * normed).flatten(0, -2).sum(0)
        inner = grad * weight
        return (inner - normed * (inner * normed).mean(-1, keepdim=True)) * scale, d_weight


class QuickGelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        sigmoid = torch.sigmoid(1.702 * x)
        y = x * sigmoid
        ctx.save_for_backward(sigmoid, y)
        return y

    @staticmethod
    def backward(ctx, grad):
        sigmoid, y = ctx.saved_tensors
        return grad * (sigmoid + 1.702 * y * (1 - sigmoid))


class Pick(torch.autograd.Function):
    """Rows of a matrix, each at most once: PyTorch's own backward adds them up one by one."""

    @staticmethod
    def forward(ctx, x, rows):
        ctx.save_for_backward(rows)
        ctx.count = x.shape[0]
        return x.index_select(0, rows)

    @staticmethod
    def backward(ctx, grad):
        (rows,) = ctx.saved_tensors
        return grad.new_zeros(ctx.count, grad.shape[1]).index_copy_(0, rows, grad), None
