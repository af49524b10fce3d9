//! Small vectors, rotations and spherical harmonics in single precision.

pub(crate) type V3 = [f32; 3];
/// Rows.
pub(crate) type M3 = [[f32; 3]; 3];

#[inline(always)]
pub(crate) fn add(a: V3, b: V3) -> V3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

#[inline(always)]
pub(crate) fn sub(a: V3, b: V3) -> V3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[inline(always)]
pub(crate) fn scale(a: V3, k: f32) -> V3 {
    [a[0] * k, a[1] * k, a[2] * k]
}

#[inline(always)]
pub(crate) fn dot(a: V3, b: V3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[inline(always)]
pub(crate) fn cross(a: V3, b: V3) -> V3 {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

#[inline(always)]
pub(crate) fn mul(m: &M3, v: V3) -> V3 {
    [dot(m[0], v), dot(m[1], v), dot(m[2], v)]
}

#[inline(always)]
pub(crate) fn mul_transposed(m: &M3, v: V3) -> V3 {
    add(add(scale(m[0], v[0]), scale(m[1], v[1])), scale(m[2], v[2]))
}

#[inline(always)]
pub(crate) fn matmul(a: &M3, b: &M3) -> M3 {
    a.map(|row| mul_transposed(b, row))
}

#[inline(always)]
pub(crate) fn column(m: &M3, j: usize) -> V3 {
    [m[0][j], m[1][j], m[2][j]]
}

#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[inline(always)]
pub(crate) fn logit(p: f32) -> f32 {
    (p / (1.0 - p)).ln()
}

/// The quaternion scaled to length one, and the factor. A zero quaternion gives the identity and factor zero, so
/// that its gradient vanishes.
#[inline(always)]
pub(crate) fn normalized(q: [f32; 4]) -> ([f32; 4], f32) {
    let n2 = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3];
    if n2 > 1e-30 && n2.is_finite() {
        let k = 1.0 / n2.sqrt();
        (q.map(|x| x * k), k)
    } else {
        ([1.0, 0.0, 0.0, 0.0], 0.0)
    }
}

/// Rotation matrix of a unit quaternion (w, x, y, z).
#[inline(always)]
pub(crate) fn rotation_matrix(q: [f32; 4]) -> M3 {
    let [w, x, y, z] = q;
    [
        [
            1.0 - 2.0 * (y * y + z * z),
            2.0 * (x * y - w * z),
            2.0 * (x * z + w * y),
        ],
        [
            2.0 * (x * y + w * z),
            1.0 - 2.0 * (x * x + z * z),
            2.0 * (y * z - w * x),
        ],
        [
            2.0 * (x * z - w * y),
            2.0 * (y * z + w * x),
            1.0 - 2.0 * (x * x + y * y),
        ],
    ]
}

/// Gradient of a loss by a quaternion before normalisation, from its gradient `v` by the rotation matrix.
#[inline(always)]
pub(crate) fn rotation_backward(unit: [f32; 4], factor: f32, v: &M3) -> [f32; 4] {
    let [w, x, y, z] = unit;
    let g = [
        2.0 * (x * (v[2][1] - v[1][2]) + y * (v[0][2] - v[2][0]) + z * (v[1][0] - v[0][1])),
        2.0 * (-2.0 * x * (v[1][1] + v[2][2])
            + y * (v[0][1] + v[1][0])
            + z * (v[0][2] + v[2][0])
            + w * (v[2][1] - v[1][2])),
        2.0 * (x * (v[0][1] + v[1][0]) - 2.0 * y * (v[0][0] + v[2][2])
            + z * (v[1][2] + v[2][1])
            + w * (v[0][2] - v[2][0])),
        2.0 * (x * (v[0][2] + v[2][0]) + y * (v[1][2] + v[2][1]) - 2.0 * z * (v[0][0] + v[1][1])
            + w * (v[1][0] - v[0][1])),
    ];
    let along = g[0] * w + g[1] * x + g[2] * y + g[3] * z;
    [
        (g[0] - along * w) * factor,
        (g[1] - along * x) * factor,
        (g[2] - along * y) * factor,
        (g[3] - along * z) * factor,
    ]
}

const C1: f32 = 0.488_602_51;
const C2: [f32; 5] = [
    1.092_548_5,
    -1.092_548_5,
    0.315_391_57,
    -1.092_548_5,
    0.546_274_24,
];
const C3: [f32; 7] = [
    -0.590_043_6,
    2.890_611_4,
    -0.457_045_8,
    0.373_176_33,
    -0.457_045_8,
    1.445_305_7,
    -0.590_043_6,
];

/// Real spherical harmonics up to degree 3 at a unit direction, in the order and signs of the 3DGS reference code.
#[inline(always)]
pub(crate) fn sh_basis(d: V3, degree: u8) -> [f32; 16] {
    let [x, y, z] = d;
    let mut b = [0.0; 16];
    b[0] = crate::map::SH_C0;
    if degree >= 1 {
        b[1] = -C1 * y;
        b[2] = C1 * z;
        b[3] = -C1 * x;
    }
    let (xx, yy, zz, xy, yz, xz) = (x * x, y * y, z * z, x * y, y * z, x * z);
    if degree >= 2 {
        b[4] = C2[0] * xy;
        b[5] = C2[1] * yz;
        b[6] = C2[2] * (2.0 * zz - xx - yy);
        b[7] = C2[3] * xz;
        b[8] = C2[4] * (xx - yy);
    }
    if degree >= 3 {
        b[9] = C3[0] * y * (3.0 * xx - yy);
        b[10] = C3[1] * xy * z;
        b[11] = C3[2] * y * (4.0 * zz - xx - yy);
        b[12] = C3[3] * z * (2.0 * zz - 3.0 * xx - 3.0 * yy);
        b[13] = C3[4] * x * (4.0 * zz - xx - yy);
        b[14] = C3[5] * z * (xx - yy);
        b[15] = C3[6] * x * (xx - 3.0 * yy);
    }
    b
}

/// Gradient by the direction of `sum_k weights[k] * basis[k](direction)`.
#[inline(always)]
pub(crate) fn sh_backward(d: V3, degree: u8, weights: &[f32; 16]) -> V3 {
    let [x, y, z] = d;
    let w = weights;
    let mut g = [0.0; 3];
    if degree >= 1 {
        g = [-C1 * w[3], -C1 * w[1], C1 * w[2]];
    }
    if degree >= 2 {
        let [a, b, c, e, f] = C2;
        g[0] += a * y * w[4] - 2.0 * c * x * w[6] + e * z * w[7] + 2.0 * f * x * w[8];
        g[1] += a * x * w[4] + b * z * w[5] - 2.0 * c * y * w[6] - 2.0 * f * y * w[8];
        g[2] += b * y * w[5] + 4.0 * c * z * w[6] + e * x * w[7];
    }
    if degree >= 3 {
        let (xx, yy, zz, xy, yz, xz) = (x * x, y * y, z * z, x * y, y * z, x * z);
        g[0] += C3[0] * w[9] * 6.0 * xy + C3[1] * w[10] * yz
            - C3[2] * w[11] * 2.0 * xy
            - C3[3] * w[12] * 6.0 * xz
            + C3[4] * w[13] * (4.0 * zz - 3.0 * xx - yy)
            + C3[5] * w[14] * 2.0 * xz
            + C3[6] * w[15] * 3.0 * (xx - yy);
        g[1] +=
            C3[0] * w[9] * 3.0 * (xx - yy) + C3[1] * w[10] * xz + C3[2] * w[11] * (4.0 * zz - xx - 3.0 * yy)
                - C3[3] * w[12] * 6.0 * yz
                - C3[4] * w[13] * 2.0 * xy
                - C3[5] * w[14] * 2.0 * yz
                - C3[6] * w[15] * 6.0 * xy;
        g[2] += C3[1] * w[10] * xy
            + C3[2] * w[11] * 8.0 * yz
            + C3[3] * w[12] * (6.0 * zz - 3.0 * xx - 3.0 * yy)
            + C3[4] * w[13] * 8.0 * xz
            + C3[5] * w[14] * (xx - yy);
    }
    g
}
